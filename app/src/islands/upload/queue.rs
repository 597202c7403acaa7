//! Files on their way, one after the other: each is begun or found again, compared, sent piece by piece, and tried
//! again after every cut.

use super::{
    Begun, Form, Stage, Transfer, Wish, bytes,
    tus::{Line, Trouble, sleep},
};
use crate::islands::anew;
use gatepost_contract::UploadState;
use leptos::{ev, prelude::*, task::spawn_local};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};
use wasm_bindgen::JsCast;
use web_sys::{File, FileList};

/// Pieces become larger on a quick line and smaller on a slow one, so that each takes a second or two.
const FIRST_PIECE: i64 = 1 << 20;
const SMALLEST_PIECE: i64 = 1 << 18;
const LARGEST_PIECE: i64 = 8 << 20;
const QUICK: f64 = 700.0;
const SLOW: f64 = 4_000.0;

/// How long is waited after a cut, in milliseconds; doubled at each further one until bytes flow again.
const FIRST_WAIT: i32 = 500;
const LONGEST_WAIT: i32 = 20_000;

/// How often the server is asked whether it has read a file back, in milliseconds.
const LOOK_EVERY: i32 = 700;

/// How often a page is loaded anew that waits for a run, in milliseconds.
const RELOAD_EVERY: i32 = 3_000;

/// How long is waited before an upload is given up once more, in milliseconds.
const GIVE_UP_EVERY: i32 = 2_000;

/// What speed is an average over, in milliseconds.
const SPEED_OVER: f64 = 8_000.0;

thread_local! {
    // A page has one form.
    static QUEUE: RefCell<Vec<Rc<Sending>>> = const { RefCell::new(Vec::new()) };
}

/// A file and what is under way with it.
struct Sending {
    transfer: Transfer,
    file: File,
    /// The upload at the server.
    id: RefCell<Option<String>>,
    /// An upload that was begun earlier and may be this file's.
    begun: RefCell<Option<Begun>>,
    line: Line,
    /// Raised by every wish: what was under way before it ends.
    turn: Cell<u32>,
    piece: Cell<i64>,
    pace: RefCell<VecDeque<(f64, i64)>>,
}

impl Sending {
    fn check(&self, turn: u32) -> Result<(), Trouble> {
        if self.turn.get() == turn { Ok(()) } else { Err(Trouble::Superseded) }
    }

    /// Shows how far it is, and how fast.
    fn moved(&self, sent: i64) {
        let now = js_sys::Date::now();
        let mut pace = self.pace.borrow_mut();
        pace.push_back((now, sent));
        while pace.len() > 2 && pace.front().is_some_and(|(at, _)| now - at > SPEED_OVER) {
            pace.pop_front();
        }
        if let Some((at, then)) = pace.front().copied()
            && now - at > 500.0
        {
            self.transfer.speed.set(Some((sent - then) as f64 / (now - at) * 1_000.0));
        }
        self.transfer.sent.set(sent);
    }

    fn fail(&self, why: String) {
        self.transfer.note.set(Some(why));
        self.transfer.stage.set(Stage::Failed);
    }
}

/// Takes what is dropped on the page, asks before the page is left while something is on its way, and loads the page
/// anew while a file waits for a run that the page could follow.
pub fn watch(form: Form, set_over: WriteSignal<bool>, waiting: bool) {
    anew::watch();
    if waiting {
        spawn_local(async move {
            loop {
                sleep(RELOAD_EVERY).await;
                reload_when_done(form);
            }
        });
    }
    let files = |event: &web_sys::DragEvent| {
        let data = event.data_transfer()?;
        data.types().includes(&"Files".into(), 0).then_some(data)
    };
    for_page(window_event_listener(ev::dragover, move |event| {
        if files(&event).is_some() {
            event.prevent_default();
            set_over.set(true);
        }
    }));
    for_page(window_event_listener(ev::dragleave, move |event| {
        // Of the window itself, and not of a part within it.
        if event.related_target().is_none() {
            set_over.set(false);
        }
    }));
    for_page(window_event_listener(ev::drop, move |event| {
        set_over.set(false);
        if let Some(data) = files(&event) {
            event.prevent_default();
            if let Some(list) = data.files() {
                add(form, &list);
            }
        }
    }));
    for_page(window_event_listener(ev::beforeunload, move |event| {
        if form.transfers.with_untracked(|all| all.iter().any(|one| one.stage.get_untracked().is_open())) {
            event.prevent_default();
            // Older browsers ask only where this is set.
            event.set_return_value("?");
        }
    }));
}

/// Lives as long as the page.
fn for_page(handle: WindowListenerHandle) {
    std::mem::forget(handle);
}

/// Puts files into the queue.
pub fn add(form: Form, list: &FileList) {
    for place in 0..list.length() {
        let Some(file) = list.get(place) else { continue };
        let (name, size) = (file.name(), file.size() as i64);
        let again = QUEUE.with_borrow(|queue| queue.iter().find(|one| is(one, &name, size)).cloned());
        match again {
            // The same file once more: it was paused or has failed, and this says go on.
            Some(one) if matches!(one.transfer.stage.get_untracked(), Stage::Paused | Stage::Failed) => {
                wish(form, one.transfer, Wish::GoOn);
            }
            Some(one) if one.transfer.stage.get_untracked().is_open() => {}
            _ => enqueue(form, file, name, size),
        }
    }
    pump(form);
}

fn is(sending: &Sending, name: &str, size: i64) -> bool {
    sending.transfer.bytes == size && sending.transfer.name.with_value(|known| known == name)
}

fn enqueue(form: Form, file: File, name: String, size: i64) {
    let begun = form.begun.try_update(|all| {
        let place = all.iter().position(|one| one.name == name && one.bytes == size)?;
        Some(all.remove(place))
    });
    let key = form.transfers.with_untracked(|all| all.last().map_or(0, |last| last.key + 1));
    let transfer = Transfer {
        key,
        name: StoredValue::new(name),
        bytes: size,
        stage: RwSignal::new(Stage::Waiting),
        sent: RwSignal::new(0),
        speed: RwSignal::new(None),
        note: RwSignal::new(None),
    };
    let sending = Rc::new(Sending {
        transfer,
        file,
        id: RefCell::default(),
        begun: RefCell::new(begun.flatten()),
        line: Line::default(),
        turn: Cell::new(0),
        piece: Cell::new(FIRST_PIECE),
        pace: RefCell::default(),
    });
    if !form.takes(size) {
        form.words.with_value(|words| {
            sending.fail(if size == 0 { words.empty.clone() } else { words.too_large.clone() });
        });
    }
    QUEUE.with_borrow_mut(|queue| queue.push(sending));
    form.transfers.update(|all| all.push(transfer));
}

/// Does what a person wants.
pub fn wish(form: Form, transfer: Transfer, wish: Wish) {
    let found = QUEUE.with_borrow(|queue| queue.iter().find(|one| one.transfer.key == transfer.key).cloned());
    let Some(sending) = found else { return };
    sending.turn.set(sending.turn.get() + 1);
    sending.line.cut();
    sending.pace.borrow_mut().clear();
    match wish {
        Wish::Pause => transfer.stage.set(Stage::Paused),
        Wish::GoOn => {
            transfer.note.set(None);
            transfer.stage.set(Stage::Waiting);
        }
        Wish::Discard => {
            QUEUE.with_borrow_mut(|queue| queue.retain(|one| one.transfer.key != transfer.key));
            form.transfers.update(|all| all.retain(|one| one.key != transfer.key));
            spawn_local(async move {
                let id = sending.id.borrow().clone();
                if let Some(id) = id {
                    // The server may still hold the piece that was cut. What cannot be deleted now stands in the
                    // list of files, and expires.
                    for _ in 0..5 {
                        if sending.line.give_up(&id).await != Err(Trouble::Line) {
                            break;
                        }
                        sleep(GIVE_UP_EVERY).await;
                    }
                }
            });
        }
    }
    pump(form);
}

/// Begins with the next file, unless one is on its way.
fn pump(form: Form) {
    let next = QUEUE.with_borrow(|queue| {
        let busy = queue.iter().any(|one| one.transfer.stage.get_untracked().is_active());
        let mut waiting = queue.iter().filter(|one| one.transfer.stage.get_untracked() == Stage::Waiting);
        if busy { None } else { waiting.next().cloned() }
    });
    let Some(sending) = next else { return };
    sending.transfer.stage.set(Stage::Comparing);
    spawn_local(async move { send(form, sending).await });
}

async fn send(form: Form, sending: Rc<Sending>) {
    let turn = sending.turn.get();
    let transfer = sending.transfer;
    let mut wait = FIRST_WAIT;
    loop {
        let before = transfer.sent.get_untracked();
        let outcome = attempt(form, &sending, turn).await;
        if sending.turn.get() != turn {
            return;
        }
        transfer.speed.set(None);
        sending.pace.borrow_mut().clear();
        let why = match outcome {
            Ok(()) => {
                transfer.sent.set(transfer.bytes);
                transfer.stage.set(Stage::Arrived);
                break;
            }
            Err(Trouble::Line) => {
                if transfer.sent.get_untracked() > before {
                    wait = FIRST_WAIT;
                }
                transfer.stage.set(Stage::Retrying);
                sending.piece.set((sending.piece.get() / 2).max(SMALLEST_PIECE));
                sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
                if sending.turn.get() != turn {
                    return;
                }
                continue;
            }
            Err(Trouble::Superseded) => return,
            Err(trouble) => trouble,
        };
        form.words.with_value(|words| match why {
            Trouble::Vanished => {
                sending.id.take();
                transfer.sent.set(0);
                sending.fail(words.vanished.clone());
            }
            Trouble::LoggedOut => sending.fail(words.logged_out.clone()),
            Trouble::Unreadable => sending.fail(words.unreadable.clone()),
            Trouble::Refused(detail) => sending.fail(detail.unwrap_or_else(|| words.refused.clone())),
            Trouble::Line | Trouble::Superseded => {}
        });
        break;
    }
    pump(form);
    reload_when_done(form);
}

/// Sends what the server does not have yet, and waits until it has read all of it back.
async fn attempt(form: Form, sending: &Rc<Sending>, turn: u32) -> Result<(), Trouble> {
    let known = sending.id.borrow().clone();
    let id = match known {
        Some(id) => id,
        None => begin(form, sending, turn).await?,
    };
    loop {
        send_rest(sending, &id, turn).await?;
        sending.transfer.stage.set(Stage::Finishing);
        let upload = loop {
            let upload = sending.line.look(&id).await?;
            sending.check(turn)?;
            if upload.state != UploadState::Receiving || upload.received < upload.bytes {
                break upload;
            }
            sleep(LOOK_EVERY).await;
            sending.check(turn)?;
        };
        match upload.state {
            // A piece was damaged on the server's side: from there on it is sent again.
            UploadState::Receiving => {
                sending.transfer.note.set(upload.error);
                sending.moved(upload.received);
            }
            UploadState::Deleted => return Err(Trouble::Refused(upload.error)),
            UploadState::Stored | UploadState::Ready | UploadState::Refused => return Ok(()),
        }
    }
}

async fn send_rest(sending: &Rc<Sending>, id: &str, turn: u32) -> Result<(), Trouble> {
    let transfer = sending.transfer;
    let mut offset = sending.line.offset(id).await?;
    sending.check(turn)?;
    while offset < transfer.bytes {
        let piece = sending.piece.get();
        let end = (offset + piece).min(transfer.bytes);
        let body = bytes::portion(&sending.file, offset, end).await.ok_or(Trouble::Unreadable)?;
        sending.check(turn)?;
        sending.moved(offset);
        transfer.stage.set(Stage::Sending);
        let shown = Rc::clone(sending);
        let since = js_sys::Date::now();
        let on_progress = move |loaded: i64| {
            if shown.turn.get() == turn {
                shown.moved((offset + loaded).min(end));
            }
        };
        let next = sending.line.send(id, offset, &body, on_progress).await?;
        sending.check(turn)?;
        if next <= offset {
            return Err(Trouble::Line);
        }
        let took = js_sys::Date::now() - since;
        if end - offset == piece && took < QUICK {
            sending.piece.set((piece * 2).min(LARGEST_PIECE));
        } else if took > SLOW {
            sending.piece.set((piece / 2).max(SMALLEST_PIECE));
        }
        offset = next;
        sending.moved(offset);
    }
    Ok(())
}

/// Finds the upload that was begun with this very file, or makes one.
async fn begin(form: Form, sending: &Rc<Sending>, turn: u32) -> Result<String, Trouble> {
    let transfer = sending.transfer;
    let begun = sending.begun.borrow().clone();
    if let Some(begun) = begun {
        transfer.stage.set(Stage::Comparing);
        let same = match is_same(sending, &begun.id, turn).await {
            Err(Trouble::Vanished) => None,
            other => other?,
        };
        sending.begun.take();
        if let Some(there) = same {
            form.words.with_value(|words| {
                let said = words.went_on.replace("{}", &words.numbers.size(there));
                transfer.note.set(Some(said));
            });
            sending.id.replace(Some(begun.id.clone()));
            return Ok(begun.id);
        }
        form.words.with_value(|words| transfer.note.set(Some(words.other_file.clone())));
        transfer.sent.set(0);
    }
    let name = transfer.name.get_value();
    let id = sending.line.create(form.mailbox, &name, transfer.bytes).await?;
    sending.id.replace(Some(id.clone()));
    sending.check(turn)?;
    Ok(id)
}

/// Compares what the server has with the file; answers how much that is where all of it is the same.
async fn is_same(sending: &Rc<Sending>, id: &str, turn: u32) -> Result<Option<i64>, Trouble> {
    let offset = sending.line.offset(id).await?;
    let mut compared = 0;
    while compared < offset {
        let pieces = sending.line.pieces(id, compared).await?;
        if pieces.is_empty() {
            // What cannot be compared is not gone on with.
            return Ok(None);
        }
        for piece in pieces {
            sending.check(turn)?;
            let end = piece.offset + piece.bytes;
            if piece.offset != compared || end <= compared || end > sending.transfer.bytes {
                return Ok(None);
            }
            let mine = bytes::portion(&sending.file, compared, end).await.ok_or(Trouble::Unreadable)?;
            if bytes::hex(&bytes::sha256(&mine).await) != piece.sha256 {
                return Ok(None);
            }
            compared = end;
            sending.transfer.sent.set(end);
        }
    }
    sending.check(turn)?;
    Ok(Some(offset))
}

/// Loads the page anew once all has arrived and nothing is left that only this page knows. Where it cannot be, the page
/// stays as it is, with a link that does the same.
fn reload_when_done(form: Form) {
    anew::load(move || {
        let arrived = |all: &Vec<Transfer>| all.iter().all(|one| one.stage.get_untracked() == Stage::Arrived);
        let at_files = document().active_element().is_some_and(|field| {
            field.dyn_ref::<web_sys::HtmlInputElement>().is_some_and(|input| input.type_() == "file")
        });
        form.transfers.with_untracked(arrived) && (at_files || !anew::is_typing())
    });
}
