//! Names of a job's rows and of what tells of them, for clients that want one for each: UUIDs of version 8 (RFC 9562 §5.8),
//! made of the job's own and the row, so that none is kept. Of one job, later rows have greater ones. Messages of all jobs
//! and clients are kept together, where two jobs of one millisecond must not share a name: theirs are hashes.
//!
//! ```text
//! job      tttttttt-tttt-7rrr-vrrr-rrrrrrrrrrrr  t: milliseconds, r: random
//! item     tttttttt-tttt-8rrr-nnnn-nnnnnnrrrrrr  n: what it is (6 bits after the variant's 2), then the row
//! message  hhhhhhhh-hhhh-8hhh-nnhh-hhhhhhhhhhhh  h: of the job and the row
//! ```

use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

/// The version of all these names. A message that tells of no row has another one.
const VERSION: usize = 8;

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Item = 0,
    Email = 1,
    Message = 2,
}

/// The row itself. Row 1 comes first.
pub(crate) fn item_id(job: Uuid, row: u32) -> Uuid {
    name(job, Named::Item, row)
}

/// The address in it, with what is known of it.
pub(crate) fn email_id(job: Uuid, row: u32) -> Uuid {
    name(job, Named::Email, row)
}

/// The message that tells of it alone.
pub(crate) fn message_id(job: Uuid, row: u32) -> Uuid {
    let hash = Sha256::new().chain_update(job.as_bytes()).chain_update(row.to_be_bytes()).finalize();
    let mut octets = [0; size_of::<Uuid>()];
    octets.copy_from_slice(&hash[..size_of::<Uuid>()]);
    octets[8] = Named::Message as u8;
    Builder::from_custom_bytes(octets).into_uuid()
}

/// Whether a message tells of a row alone, as its id says.
pub(crate) fn is_of_row(message: Uuid) -> bool {
    // Under the two bits of the variant.
    let named = message.as_bytes()[8] & 0b0011_1111;
    message.get_version_num() == VERSION && named == Named::Message as u8
}

fn name(job: Uuid, named: Named, row: u32) -> Uuid {
    let mut octets = *job.as_bytes();
    // The first two bits of the eighth octet are the variant's.
    octets[8] = named as u8;
    octets[9..13].copy_from_slice(&row.to_be_bytes());
    Builder::from_custom_bytes(octets).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_a_name_of_its_own_in_its_place() {
        let (job, other) = (Uuid::now_v7(), Uuid::now_v7());
        let rows = [1, 2, 255, 256, 100_000, u32::MAX];
        let items: Vec<Uuid> = rows.iter().map(|row| item_id(job, *row)).collect();
        assert!(items.is_sorted_by(|one, next| one < next));
        for (row, item) in rows.iter().zip(&items) {
            assert_ne!(item_id(other, *row), *item);
            assert_eq!(item.get_version_num(), VERSION);
            let (email, message) = (email_id(job, *row), message_id(job, *row));
            assert!(email != *item && message != *item && message != email);
            assert_eq!([*item, email, message, job].map(is_of_row), [false, false, true, false]);
            assert_eq!(message_id(job, *row), message);
        }
    }

    #[test]
    fn messages_of_jobs_that_are_alike_but_for_their_last_octets_are_told_apart() {
        let job = Uuid::now_v7();
        for octet in 0..16 {
            let mut other = *job.as_bytes();
            other[octet] ^= 1;
            let (one, other) = (message_id(job, 1), message_id(Uuid::from_bytes(other), 1));
            assert!(is_of_row(other));
            let differing = (one.as_u128() ^ other.as_u128()).count_ones();
            assert!(differing > 24, "octet {octet}: {differing} bits");
        }
    }
}
