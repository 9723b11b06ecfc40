//! A list of distinct JSON values, which rows name by number.

use std::{array, collections::HashMap};

/// Values that are told apart without being written out. Chunks have fewer kinds of findings; what shares a place with
/// another one costs time, and no room.
const RECENT: usize = 64;

/// What can stand in a [`Dictionary`].
pub(super) trait Entry {
    /// Equal values have equal hints; unequal ones should rarely. Cheap.
    fn hint(&self) -> u64;

    /// Whether both are written alike.
    fn is_like(&self, other: &Self) -> bool;

    /// Appends the value as JSON.
    fn write(&self, out: &mut Vec<u8>);
}

/// Distinct values in the order in which they came.
pub(super) struct Dictionary<'a, T: ?Sized> {
    json: Vec<u8>,
    /// Numbers by what is written.
    numbers: HashMap<Box<[u8]>, u32>,
    /// Numbers of values of late, each in the place that its hint names.
    recent: [Option<(&'a T, u32)>; RECENT],
    scratch: Vec<u8>,
}

impl<T: ?Sized> Default for Dictionary<'_, T> {
    fn default() -> Self {
        Self {
            json: Vec::new(),
            numbers: HashMap::new(),
            recent: array::from_fn(|_| None),
            scratch: Vec::new(),
        }
    }
}

impl<'a, T: Entry + ?Sized> Dictionary<'a, T> {
    /// The value's number, which it gets if it has none.
    pub(super) fn number(&mut self, value: &'a T) -> u32 {
        // Multiplied so that all of the hint takes part in its highest bits (Knuth, TAOCP 3, 6.4).
        let place = value.hint().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - RECENT.ilog2());
        let recent = &mut self.recent[usize::try_from(place).unwrap_or_default()];
        if let Some((known, number)) = recent
            && known.is_like(value)
        {
            return *number;
        }
        self.scratch.clear();
        value.write(&mut self.scratch);
        let number = if let Some(number) = self.numbers.get(&*self.scratch) {
            *number
        } else {
            let number = u32::try_from(self.numbers.len()).expect("a chunk has few findings");
            if number > 0 {
                self.json.push(b',');
            }
            self.json.extend_from_slice(&self.scratch);
            self.numbers.insert(self.scratch.as_slice().into(), number);
            number
        };
        *recent = Some((value, number));
        number
    }

    /// The values, with commas between them.
    pub(super) fn into_json(self) -> Vec<u8> {
        self.json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Entry for u64 {
        fn hint(&self) -> u64 {
            self % 3
        }

        fn is_like(&self, other: &Self) -> bool {
            self == other
        }

        fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(self.to_string().as_bytes());
        }
    }

    #[test]
    fn each_value_stands_once_however_places_are_shared() {
        let values: Vec<u64> = (0..300).map(|n| n * 7 % 10).collect();
        let mut dictionary = Dictionary::default();
        let numbers: Vec<u32> = values.iter().map(|value| dictionary.number(value)).collect();
        let json = String::from_utf8(dictionary.into_json()).unwrap();
        let listed: Vec<u64> = json.split(',').map(|value| value.parse().unwrap()).collect();
        assert_eq!(listed, [0, 7, 4, 1, 8, 5, 2, 9, 6, 3]);
        assert!(numbers.iter().zip(&values).all(|(number, value)| listed[*number as usize] == *value));
    }
}
