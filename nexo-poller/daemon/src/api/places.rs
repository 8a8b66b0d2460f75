use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Connections of callers who have not shown the token. Whoever comes gets a place: the one that has moved nothing for longest
/// gives way. So it is not enough to hold places in order to keep others out.
const STRANGERS: usize = 512;
/// Connections of callers who have. Strangers cannot take these, however many they are.
const HOLDERS: usize = 128;

/// The connections of a server.
#[derive(Default)]
pub(super) struct Places {
    taken: Mutex<HashMap<u64, Arc<Seat>>>,
    /// Counts every connection, and every movement of one: what moved last has the highest number.
    clock: AtomicU64,
}

/// One connection, as the others see it.
#[derive(Debug, Default)]
struct Seat {
    holds_token: AtomicBool,
    moved: AtomicU64,
    gives_way: CancellationToken,
}

/// A connection's place, given back when it is dropped.
pub(super) struct Place {
    number: u64,
    seat: Arc<Seat>,
    places: Arc<Places>,
}

impl Places {
    /// A place for a connection that has just come.
    pub(super) fn take(self: &Arc<Self>) -> Place {
        let number = self.clock.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat { moved: AtomicU64::new(number), ..Seat::default() });
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut taken, false, STRANGERS - 1);
        taken.insert(number, Arc::clone(&seat));
        Place { number, seat, places: Arc::clone(self) }
    }
}

/// Lets go of those that have moved nothing for longest, until at most `most` of their class are left.
fn make_room(taken: &mut HashMap<u64, Arc<Seat>>, holds_token: bool, most: usize) {
    let of_class = |seat: &Seat| seat.holds_token.load(Ordering::Relaxed) == holds_token;
    while taken.values().filter(|seat| of_class(seat)).count() > most {
        let class = taken.iter().filter(|(_, seat)| of_class(seat));
        let Some(number) = class.min_by_key(|(_, seat)| seat.moved.load(Ordering::Relaxed)).map(|(number, _)| *number)
        else {
            return;
        };
        if let Some(seat) = taken.remove(&number) {
            seat.gives_way.cancel();
        }
    }
}

impl Place {
    /// Something of the connection was read or written.
    pub(super) fn moves(&self) {
        self.seat.moved.store(self.places.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Returns once the connection is to end, because another one needs its place.
    pub(super) async fn gives_way(&self) {
        self.seat.gives_way.cancelled().await;
    }

    /// Its caller has shown the token.
    pub(super) fn holds_token(&self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.seat.holds_token.swap(true, Ordering::Relaxed) {
            self.moves();
            make_room(&mut taken, true, HOLDERS);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has_given_way(place: &Place) -> bool {
        place.seat.gives_way.is_cancelled()
    }

    #[test]
    fn whoever_has_moved_nothing_for_longest_gives_way_to_whoever_comes() {
        let places = Arc::new(Places::default());
        let mut there: Vec<Place> = (0..STRANGERS).map(|_| places.take()).collect();
        there[0].moves();
        let late = places.take();
        assert!(!has_given_way(&there[0]) && has_given_way(&there[1]) && !has_given_way(&there[2]));
        // A place that is given back is free: nobody gives way for the next.
        there.truncate(STRANGERS / 2);
        let later = places.take();
        assert_eq!(there.iter().filter(|place| has_given_way(place)).count(), 1);
        assert!(!has_given_way(&late) && !has_given_way(&later));
    }

    #[test]
    fn strangers_cannot_take_the_places_of_the_tokens_holders() {
        let places = Arc::new(Places::default());
        let holders: Vec<Place> = (0..HOLDERS).map(|_| places.take()).collect();
        holders.iter().for_each(Place::holds_token);
        let strangers: Vec<Place> = (0..2 * STRANGERS).map(|_| places.take()).collect();
        assert!(!holders.iter().any(has_given_way));
        assert_eq!(strangers.iter().filter(|place| !has_given_way(place)).count(), STRANGERS);
        // One holder too many costs the one that rests longest.
        holders[0].moves();
        let one_more = places.take();
        one_more.holds_token();
        assert_eq!(holders.iter().position(has_given_way), Some(1));
        assert!(!has_given_way(&one_more));
    }
}
