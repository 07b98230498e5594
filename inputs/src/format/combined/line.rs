//! The parts of one line of an access log.

use memchr::memchr;

/// A line, cut at its marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub remote_host: &'a [u8],
    pub identity: &'a [u8],
    pub user: &'a [u8],
    pub time: &'a [u8],
    pub request: &'a [u8],
    pub status: &'a [u8],
    pub bytes: &'a [u8],
    pub referer: Option<&'a [u8]>,
    pub user_agent: Option<&'a [u8]>,
}

impl<'a> Line<'a> {
    /// Cuts a line, when it has the marks of the common log format or, if so asked, of the combined one.
    #[inline]
    pub(super) fn split(line: &'a [u8], combined: bool) -> Option<Self> {
        let (remote_host, rest) = word(line)?;
        let (identity, rest) = word(rest)?;
        let (user, rest) = until_bracket(rest)?;
        let (time, rest) = cut(rest, memchr(b']', rest)?);
        let request = rest.strip_prefix(b" \"")?;
        let (request, rest) = cut(request, closing_quote(request)?);
        let (status, rest) = word(rest.strip_prefix(b" ")?)?;
        let (bytes, rest) = word(rest).unwrap_or((rest, b""));
        if !is_number(status) || !is_number(bytes) {
            return None;
        }
        let (mut referer, mut user_agent) = (None, None);
        if combined {
            let text = rest.strip_prefix(b"\"")?;
            let (text, rest) = cut(text, closing_quote(text)?);
            referer = Some(text);
            // Servers cut long lines: a last field that is not closed ends with its line.
            let text = rest.strip_prefix(b" \"")?;
            user_agent = Some(&text[..closing_quote(text).unwrap_or(text.len())]);
        }
        Some(Line { remote_host, identity, user, time, request, status, bytes, referer, user_agent })
    }
}

/// What is before the byte at `at`, and what is behind it.
#[inline]
fn cut(text: &[u8], at: usize) -> (&[u8], &[u8]) {
    (&text[..at], &text[at + 1..])
}

/// The first word, which is not empty and ends with a space, and what is behind the space.
#[inline]
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr(b' ', text).filter(|&end| end > 0)?;
    Some(cut(text, end))
}

/// What is before the first ` [`, and what is behind it. A user name may hold spaces.
#[inline]
fn until_bracket(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let bracket = memchr::memchr_iter(b'[', text).find(|&at| at > 1 && text[at - 1] == b' ')?;
    Some((&text[..bracket - 1], &text[bracket + 1..]))
}

/// The first quote that no backslash escapes.
#[inline]
fn closing_quote(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'"', text).find(|&at| {
        let backslashes = text[..at].iter().rev().take_while(|&&byte| byte == b'\\').count();
        backslashes % 2 == 0
    })
}

/// Whether a field is a whole number or `-`, which stands for none.
#[inline]
fn is_number(text: &[u8]) -> bool {
    text == b"-" || (!text.is_empty() && text.iter().all(u8::is_ascii_digit))
}

/// A request of two or three words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request<'a> {
    pub method: &'a [u8],
    pub target: &'a [u8],
    /// HTTP/0.9 names none.
    pub protocol: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// Cuts a request into its words; `None` when there are not two or three.
    #[inline]
    pub(super) fn split(request: &'a [u8]) -> Option<Self> {
        let (method, rest) = word(request)?;
        let Some((target, protocol)) = word(rest) else {
            let target = Some(rest).filter(|rest| !rest.is_empty() && rest[0] != b' ')?;
            return Some(Request { method, target, protocol: None });
        };
        let whole = !protocol.is_empty() && memchr(b' ', protocol).is_none();
        whole.then_some(Request { method, target, protocol: Some(protocol) })
    }

    /// The target without its query.
    #[inline]
    pub(super) fn path(&self) -> &'a [u8] {
        &self.target[..memchr(b'?', self.target).unwrap_or(self.target.len())]
    }
}
