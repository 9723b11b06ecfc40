//! Forms with a file in them (`multipart/form-data`, RFC 7578): the file is handed on as it comes, the texts beside it are
//! gathered. Parts are told apart by `multer`, which gets one piece of the body at a time, and only when it needs one, since
//! it holds all that it is given, and searches all of it again with each piece.
//!
//! A form is read to its end, whatever is wrong with its file: what is wrong with texts behind the file comes before it.

use std::{
    future::poll_fn,
    mem,
    pin::Pin,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody as _},
    http::{
        HeaderMap,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE, EXPECT},
    },
};
use futures_util::Stream;
use multer::{Field, Multipart};
use tokio::time::sleep;

use super::{
    body::{BODY_MAX, BODY_TIME_MAX, Received, is_encoded, is_within, read_rest},
    fields::WRONG_MAX,
    invalid::Invalid,
    refusal::Refusal,
};

/// Octets of a form besides its file: the texts, which are a line each, and what separates parts. What has just come and is
/// not told apart yet counts too, which is a few frames, of some 32 KiB at most each.
pub(crate) const BESIDE_MAX: usize = 1024 * 1024;

/// Octets with which a piece is handed on, where so many are there.
const PIECE_MIN: usize = 16 * 1024;

/// Octets in a row in which no part begins and none goes on: what stands before the first one, or the head of one, which is
/// a few lines. They are searched again with each piece; however few octets that has, the sum over a form is no more than
/// `BESIDE_MAX` times this, which takes about a second.
const APART_MAX: usize = 16 * 1024;

/// Octets of a boundary, by RFC 2046 (section 5.1.1). What looks like the beginning of one is held, and searched again.
const BOUNDARY_MAX: usize = 70;

/// For a whole form that is longer than other bodies may be: 20 MiB in that time are two megabits a second. Less than a
/// request with an `Idempotency-Key` has.
pub(crate) const FORM_TIME_MAX: Duration = Duration::from_secs(90);

/// Characters of a file's name, as most systems have them at most.
const NAME_MAX: usize = 255;

/// A form that was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Names and values, in their order.
    pub(crate) texts: Vec<(String, String)>,
    /// The file; none where that is among what is wrong.
    pub(crate) file: Option<File>,
    /// What is wrong with parts as such.
    pub(crate) wrong: Vec<Invalid>,
}

/// A file that was handed on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Its name, without folders and without characters that nobody sees; none where nothing is left of it.
    pub(crate) name: Option<String>,
}

/// Why a form is not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FormError {
    /// As any body.
    Refused(Refusal),
    /// The file has more octets than it may.
    FileTooLarge,
}

impl From<Refusal> for FormError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The part that is a file.
struct Wanted<F> {
    /// Its name in the form.
    name: &'static str,
    octets_max: usize,
    /// Takes its octets.
    each: F,
    /// A part of this name has come, whatever it was.
    is_met: bool,
}

impl Received {
    /// What must hold before anything is read. Says how many octets the file may have at most, as far as that is known.
    ///
    /// # Errors
    /// It is no form, or longer than it may be.
    pub(crate) async fn file_length(&mut self, octets_max: usize) -> Result<usize, FormError> {
        if is_encoded(&self.headers) || !is_form(&self.headers) {
            return Err(Refusal::MediaType.into());
        }
        let within = is_within(&self.headers, &mut self.body, octets_max + BESIDE_MAX).await;
        let length = within.map_err(|_| FormError::FileTooLarge)?;
        Ok(length.map_or(octets_max, |length| length.min(octets_max)))
    }

    /// Reads on for a while, for an answer that is given before.
    pub(crate) async fn skip(&mut self) {
        // Who asks before sending, has not sent.
        if !self.headers.contains_key(EXPECT) {
            read_rest(&mut self.body).await;
        }
    }

    /// Reads a form to its end. `each` takes the octets of its part `file`, which is a file of so many octets at most.
    ///
    /// # Errors
    /// It is not complete, or no form; it is too large or too slow.
    pub(crate) async fn form(
        mut self,
        file: &'static str,
        octets_max: usize,
        each: impl FnMut(&[u8]) + Send,
    ) -> Result<Form, FormError> {
        let boundary = boundary(&self.headers).ok_or_else(no_form)?;
        let wanted = Wanted { name: file, octets_max, each, is_met: false };
        let come = Come::default();
        let read = tokio::select! {
            read = read(&mut self.body, boundary, wanted, &come) => read,
            () = come.is_too_slow() => Err(Refusal::TooSlow.into()),
        };
        if let Err(error) = &read
            && !matches!(error, FormError::Refused(Refusal::TooSlow))
        {
            read_rest(&mut self.body).await;
        }
        read
    }
}

/// It says so.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let said = headers.get(CONTENT_TYPE).and_then(|said| said.to_str().ok()).unwrap_or_default();
    said.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("multipart/form-data")
}

/// What stands between the parts of a form.
pub(super) fn boundary(headers: &HeaderMap) -> Option<String> {
    let boundary = multer::parse_boundary(headers.get(CONTENT_TYPE)?.to_str().ok()?).ok();
    boundary.filter(|boundary| (1..=BOUNDARY_MAX).contains(&boundary.len()))
}

async fn read<F: FnMut(&[u8])>(
    body: &mut Body,
    boundary: String,
    mut wanted: Wanted<F>,
    come: &Come,
) -> Result<Form, FormError> {
    let mut form = Form { texts: Vec::new(), file: None, wrong: Vec::new() };
    let mut parts = Multipart::new(Pieces::of(&mut *body, come), boundary);
    while let Some(mut part) = parts.next_field().await.map_err(told)? {
        come.found();
        form.take(&mut part, &mut wanted, come).await?;
        while next(&mut part, come).await?.is_some() {}
    }
    drop(parts);
    // Behind its last part there may be more, and of whoever repeats the request, all of it is compared.
    while let Some(octets) = poll_fn(|cx| come.poll_octets(body, cx)).await {
        octets.map_err(NotRead::refusal)?;
    }
    if form.file.is_none() && !wanted.is_met {
        form.fault(wanted.name, "missing", "Field required");
    }
    Ok(form)
}

impl Form {
    async fn take<F: FnMut(&[u8])>(
        &mut self,
        part: &mut Field<'_>,
        wanted: &mut Wanted<F>,
        come: &Come,
    ) -> Result<(), FormError> {
        let Some(name) = part.name().map(str::to_owned) else { return Ok(()) };
        if name != wanted.name {
            let mut octets = Vec::new();
            while let Some(piece) = next(part, come).await? {
                octets.extend_from_slice(&piece);
            }
            match String::from_utf8(octets) {
                Ok(text) => self.texts.push((name, text)),
                Err(_) => self.fault(&name, "string_unicode", "Input should be a valid text in UTF-8"),
            }
            return Ok(());
        }
        wanted.is_met = true;
        if self.file.is_some() {
            self.fault(&name, "too_long", "There should be one file");
            return Ok(());
        }
        if !is_file(part) {
            self.fault(&name, "file_type", "Input should be a file");
            return Ok(());
        }
        self.file = Some(File { name: part.file_name().and_then(file_name) });
        let mut octets = 0;
        while let Some(piece) = next(part, come).await? {
            come.beside.fetch_sub(piece.len(), Relaxed);
            octets += piece.len();
            if octets > wanted.octets_max {
                return Err(FormError::FileTooLarge);
            }
            (wanted.each)(&piece);
        }
        Ok(())
    }

    fn fault(&mut self, name: &str, kind: &'static str, msg: &str) {
        if self.wrong.len() == WRONG_MAX {
            return;
        }
        self.wrong.push(Invalid::new(["body", name], kind, msg));
    }
}

/// The next octets of a part.
async fn next(part: &mut Field<'_>, come: &Come) -> Result<Option<Bytes>, FormError> {
    let piece = part.chunk().await.map_err(told)?;
    come.found();
    Ok(piece)
}

/// It has a name of a file, which may be empty, or written in a way of its own.
fn is_file(part: &Field<'_>) -> bool {
    let disposition = part.headers().get(CONTENT_DISPOSITION).map_or(&b""[..], |value| value.as_bytes());
    disposition.windows(b"filename".len()).any(|word| word.eq_ignore_ascii_case(b"filename"))
}

/// The name of a file, as it may be shown: it is never a path. What turns the direction of writing, and what is seen by
/// nobody, is left out.
fn file_name(given: &str) -> Option<String> {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last.chars().filter(|c| !c.is_control() && !is_unseen(*c)).take(NAME_MAX).collect();
    let name = name.trim();
    (!name.is_empty() && name != "." && name != "..").then(|| name.to_owned())
}

fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// What has come of a form.
#[derive(Debug, Default)]
struct Come {
    /// Octets.
    all: AtomicUsize,
    /// Those of them that are not the file's, as far as that is known.
    beside: AtomicUsize,
    /// Those that were handed on since a part, or a piece of one, was found; without the last piece, which may not have been
    /// searched yet.
    apart: AtomicUsize,
    /// That piece.
    last: AtomicUsize,
    /// Nothing is found in what was handed on.
    is_more_due: AtomicBool,
}

impl Come {
    /// A part, or a piece of one. In what is left, there may be more.
    fn found(&self) {
        self.apart.store(0, Relaxed);
        self.last.store(0, Relaxed);
        self.is_more_due.store(false, Relaxed);
    }

    /// The next octets of the body.
    fn poll_octets(&self, body: &mut Body, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, NotRead>>> {
        loop {
            let Some(frame) = ready!(Pin::new(&mut *body).poll_frame(cx)) else {
                return Poll::Ready(None);
            };
            let Ok(frame) = frame else { return Poll::Ready(Some(Err(NotRead::Broken))) };
            let Ok(octets) = frame.into_data() else { continue };
            self.all.fetch_add(octets.len(), Relaxed);
            if self.beside.fetch_add(octets.len(), Relaxed) + octets.len() > BESIDE_MAX {
                return Poll::Ready(Some(Err(NotRead::TooMuch)));
            }
            return Poll::Ready(Some(Ok(octets)));
        }
    }

    /// Ends when the form should be there. One that is no longer than other bodies has no more time than they have.
    async fn is_too_slow(&self) {
        sleep(BODY_TIME_MAX).await;
        if self.all.load(Relaxed) >= BODY_MAX {
            sleep(FORM_TIME_MAX.saturating_sub(BODY_TIME_MAX)).await;
        }
    }
}

/// The body in pieces: what is there, or as much as is enough.
struct Pieces<'b> {
    body: &'b mut Body,
    come: &'b Come,
    /// What is there, and not enough yet.
    gathered: Vec<u8>,
    is_end: bool,
}

impl<'b> Pieces<'b> {
    fn of(body: &'b mut Body, come: &'b Come) -> Self {
        Self { body, come, gathered: Vec::new(), is_end: false }
    }

    /// Waits only where nothing is there.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, NotRead>>> {
        while !self.is_end && self.gathered.len() < PIECE_MIN {
            match self.come.poll_octets(self.body, cx) {
                Poll::Ready(Some(Ok(octets))) if self.gathered.is_empty() && octets.len() >= PIECE_MIN => {
                    return Poll::Ready(Some(Ok(octets)));
                }
                Poll::Ready(Some(Ok(octets))) => self.gathered.extend_from_slice(&octets),
                Poll::Ready(None) => self.is_end = true,
                Poll::Pending if !self.gathered.is_empty() => break,
                other => return other,
            }
        }
        let gathered = mem::take(&mut self.gathered);
        Poll::Ready((!gathered.is_empty()).then(|| Ok(gathered.into())))
    }
}

impl Stream for Pieces<'_> {
    type Item = Result<Bytes, NotRead>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // What it has is looked through first.
        if !self.come.is_more_due.load(Relaxed) {
            self.come.is_more_due.store(true, Relaxed);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.come.apart.load(Relaxed) >= APART_MAX {
            return Poll::Ready(Some(Err(NotRead::NoPart)));
        }
        let piece = ready!(self.poll_piece(cx));
        if let Some(Ok(octets)) = &piece {
            let before = self.come.last.swap(octets.len(), Relaxed);
            self.come.apart.fetch_add(before, Relaxed);
            self.come.is_more_due.store(false, Relaxed);
        }
        Poll::Ready(piece)
    }
}

/// Why the body is not read on.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum NotRead {
    #[error("the body breaks off")]
    Broken,
    #[error("there is too much beside the file")]
    TooMuch,
    #[error("no part begins for too long")]
    NoPart,
}

impl NotRead {
    fn refusal(self) -> Refusal {
        match self {
            Self::Broken => {
                Refusal::of(Invalid::new(["body"], "body_incomplete", "The body is not complete"))
            }
            Self::TooMuch => Refusal::TooLarge(BESIDE_MAX),
            Self::NoPart => no_form(),
        }
    }
}

/// What is wrong with a form, without what stands in it.
fn told(error: multer::Error) -> FormError {
    use multer::Error::{IncompleteFieldData, IncompleteHeaders, IncompleteStream, StreamReadFailed};

    let refusal = match error {
        StreamReadFailed(error) => {
            error.downcast_ref::<NotRead>().copied().unwrap_or(NotRead::Broken).refusal()
        }
        IncompleteFieldData { .. } | IncompleteHeaders | IncompleteStream => NotRead::Broken.refusal(),
        _ => no_form(),
    };
    refusal.into()
}

fn no_form() -> Refusal {
    Refusal::of(Invalid::new(["body"], "multipart_invalid", "The body is not a form of several parts"))
}

#[cfg(test)]
mod tests;
