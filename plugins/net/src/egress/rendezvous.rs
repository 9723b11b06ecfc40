//! Rendezvous hashing (Thaler and Ravishankar 1998): for every key each name has a score, and the highest wins. So a
//! key keeps its name as long as that name is there, and its keys alone move when it goes.
//!
//! The numbers must not change between processes or releases, which the standard library's hasher does not promise.
//! They are no secret either: who can choose keys gains nothing by it.

use std::hash::{Hash, Hasher};

/// FNV-1a of 64 bits (Fowler, Noll and Vo).
struct Fnv(u64);

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

impl Hasher for Fnv {
    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = (self.0 ^ u64::from(*octet)).wrapping_mul(FNV_PRIME);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A number for a value, the same tomorrow.
pub(crate) fn stable_hash(value: impl Hash) -> u64 {
    let mut hasher = Fnv(FNV_OFFSET);
    value.hash(&mut hasher);
    mix(hasher.finish())
}

/// The score of a name for a key, from the hashes of both.
pub(super) fn score(key: u64, name: u64) -> u64 {
    mix(key ^ name)
}

/// The finalizer of `SplitMix64` (Steele, Lea and Flood 2014): each bit of the input changes half of the output's.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_what_they_are() {
        let mut fnv = Fnv(FNV_OFFSET);
        fnv.write(b"foobar");
        assert_eq!(fnv.finish(), 0x8594_4171_f739_67e8, "from the authors' test vectors");
        assert_eq!(
            mix(0x9e37_79b9_7f4a_7c15),
            0xe220_a839_7b1d_cdaf,
            "the first number of SplitMix64 from seed 0"
        );
    }

    #[test]
    fn names_get_equal_shares() {
        let names = ["a", "b", "c"].map(stable_hash);
        let mut shares = [0; 3];
        for key in 0..3_000 {
            let key = stable_hash(format!("mx{key}.example.org"));
            let first = (0..3).max_by_key(|n| score(key, names[*n])).unwrap();
            shares[first] += 1;
        }
        assert!(shares.iter().all(|share| (900..1_100).contains(share)), "{shares:?}");
    }
}
