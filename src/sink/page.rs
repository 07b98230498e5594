//! Output of whole pages.

use std::io::{self, Write};

use super::Output;

/// An output that takes a page of bytes at a time, each in one write followed by a flush.
pub(super) struct Pages {
    output: Output,
    page: Vec<u8>,
}

impl Pages {
    pub(super) fn new(output: Output) -> Self {
        Pages { output, page: Vec::new() }
    }

    /// The page that is being written.
    pub(super) fn page(&mut self) -> &mut Vec<u8> {
        &mut self.page
    }

    /// Sends the page, or nothing when it is empty, and starts the next.
    pub(super) fn send(&mut self) -> io::Result<()> {
        if self.page.is_empty() {
            return Ok(());
        }
        let sent = self.output.write_all(&self.page).and_then(|()| self.output.flush());
        self.page.clear();
        sent
    }
}
