//! Numbered places. A token names the user of a place, so that what is late does not
//! meet the next one.

/// Places for `T`.
pub(in crate::engine) struct Slots<T> {
    places: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Slots<T> {
    pub(in crate::engine) fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    /// How many places are taken.
    pub(in crate::engine) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(in crate::engine) fn insert(&mut self, value: T) -> u32 {
        match self.free.pop() {
            Some(index) => {
                self.places[index as usize].1 = Some(value);
                index
            }
            None => {
                self.places.push((0, Some(value)));
                (self.places.len() - 1) as u32
            }
        }
    }

    pub(in crate::engine) fn remove(&mut self, index: u32) -> Option<T> {
        let place = self.places.get_mut(index as usize)?;
        let value = place.1.take()?;
        place.0 = place.0.wrapping_add(1);
        self.free.push(index);
        Some(value)
    }

    pub(in crate::engine) fn get(&self, index: u32) -> Option<&T> {
        self.places.get(index as usize)?.1.as_ref()
    }

    pub(in crate::engine) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.places.get_mut(index as usize)?.1.as_mut()
    }

    /// The user of a place that this token names, if it is still there.
    pub(in crate::engine) fn named(&self, token: u64) -> Option<&T> {
        let (generation, value) = self.places.get(token as u32 as usize)?;
        value.as_ref().filter(|_| *generation == (token >> 32) as u32)
    }

    pub(in crate::engine) fn named_mut(&mut self, token: u64) -> Option<&mut T> {
        let (generation, value) = self.places.get_mut(token as u32 as usize)?;
        value.as_mut().filter(|_| *generation == (token >> 32) as u32)
    }

    /// The token of the user of a place.
    pub(in crate::engine) fn token(&self, index: u32) -> u64 {
        let generation = self.places.get(index as usize).map_or(0, |place| place.0);
        u64::from(generation) << 32 | u64::from(index)
    }

    /// The place behind a token, if its user is still there.
    pub(in crate::engine) fn find(&self, token: u64) -> Option<u32> {
        let index = token as u32;
        (self.get(index).is_some() && self.token(index) == token).then_some(index)
    }

    /// All that are taken.
    pub(in crate::engine) fn indices(&self) -> Vec<u32> {
        (0..).zip(&self.places).filter(|(_, place)| place.1.is_some()).map(|(i, _)| i).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_token_finds_nothing() {
        let mut slots = Slots::new();
        let index = slots.insert('a');
        let token = slots.token(index);
        assert_eq!(slots.find(token), Some(index));
        assert_eq!(slots.remove(index), Some('a'));
        assert_eq!(slots.find(token), None);
        assert_eq!(slots.insert('b'), index);
        assert_eq!(slots.find(token), None);
        assert_eq!((slots.len(), slots.indices()), (1, vec![index]));
    }
}
