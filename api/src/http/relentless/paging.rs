//! Which page of a list is asked for: pages are counted from 1.

use super::config::WHOLE_MAX;
use crate::http::Query;

/// A page, and how many of a list stand on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paging {
    pub(super) page: i64,
    pub(super) size: i64,
}

impl Paging {
    /// The parameters `page` and `page_size`.
    pub(super) fn read(query: &mut Query, size_max: i64, size_default: i64) -> Self {
        let page = query.integer("page", 1..=WHOLE_MAX).unwrap_or(1);
        let size = query.integer("page_size", 1..=size_max).unwrap_or(size_default);
        Self { page, size }
    }

    /// What stands on earlier pages.
    pub(super) fn offset(self) -> i64 {
        (self.page - 1) * self.size
    }

    /// How many pages so many are.
    pub(super) fn pages(self, total: i64) -> i64 {
        (total + self.size - 1) / self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_may_be_short() {
        let paging = Paging { page: 3, size: 25 };
        assert_eq!(paging.offset(), 50);
        assert_eq!([0, 1, 25, 26].map(|total| paging.pages(total)), [0, 1, 1, 2]);
    }
}
