//! The terminal that a sink may write to.

use console::Term;

/// How large a terminal is, in character cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Lines.
    pub rows: usize,
    /// Characters a line.
    pub columns: usize,
}

/// A terminal, which may change its size at any time.
pub struct Terminal(Box<dyn Fn() -> Size + Send>);

impl Terminal {
    /// The terminal behind standard output, when it is one that can repaint (so not when `TERM` is `dumb`).
    pub fn stdout() -> Option<Self> {
        let term = Term::stdout();
        if !term.features().is_attended() || console::is_dumb() {
            return None;
        }
        Some(Terminal(Box::new(move || {
            let (rows, columns) = term.size();
            Size { rows: rows.into(), columns: columns.into() }
        })))
    }

    /// A terminal of a fixed size.
    pub fn fixed(size: Size) -> Self {
        Terminal(Box::new(move || size))
    }

    /// Its size now.
    pub fn size(&self) -> Size {
        (self.0)()
    }
}
