//! Each command to the part that it is for.

use super::commands::EngineCommand;
use super::core::Engine;

impl Engine {
    pub(super) fn command(&mut self, command: EngineCommand) {
        // Whoever asked may have gone; what was asked for is done all the same.
        match command {
            EngineCommand::Compare(specs, reply) => {
                let plan = self.compare(&specs);
                let _ = reply.send((specs, plan));
            }
            EngineCommand::Install(install, reply) => {
                self.install(*install);
                let _ = reply.send(());
            }
            EngineCommand::List(reply) => {
                let _ = reply.send(self.list());
            }
            EngineCommand::Show(id, reply) => {
                let _ = reply.send(self.show(&id));
            }
            EngineCommand::Inspect(id, reply) => {
                let _ = reply.send(self.inspect(&id));
            }
            EngineCommand::NextFirings(id, count, reply) => {
                let _ = reply.send(self.next_firings(&id, count));
            }
            EngineCommand::RunNow(manual) => self.run_now(manual),
            EngineCommand::Refresh(id) => self.refresh(&id),
            EngineCommand::Change(id, request) => self.change_by_id(&id, request),
            EngineCommand::Health(reply) => {
                let _ = reply.send(self.health());
            }
            EngineCommand::Metrics(reply) => {
                let _ = reply.send(self.snapshot());
            }
            EngineCommand::Shutdown(grace, reply) => self.start_draining(grace, Some(reply)),
        }
    }
}
