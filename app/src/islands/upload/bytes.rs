//! A file's bytes in the browser: read in portions, told apart by their SHA-256.

use js_sys::{ArrayBuffer, Uint8Array};
use leptos::prelude::window;
use sha2::{Digest, Sha256};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

/// A part of a file; none where the browser cannot read it, as when it is a folder or was changed meanwhile.
pub async fn portion(file: &File, from: i64, to: i64) -> Option<ArrayBuffer> {
    let slice = file.slice_with_f64_and_f64(from as f64, to as f64).ok()?;
    let buffer: ArrayBuffer = JsFuture::from(slice.array_buffer()).await.ok()?.dyn_into().ok()?;
    (i64::from(buffer.byte_length()) == to - from).then_some(buffer)
}

/// Their SHA-256. Browsers compute it themselves only where the page came by TLS or from this very machine.
pub async fn sha256(bytes: &ArrayBuffer) -> [u8; 32] {
    if let Some(digest) = by_browser(bytes).await {
        return digest;
    }
    Sha256::digest(Uint8Array::new(bytes).to_vec()).into()
}

async fn by_browser(bytes: &ArrayBuffer) -> Option<[u8; 32]> {
    let crypto = window().crypto().ok()?.subtle();
    let there: &JsValue = crypto.as_ref();
    if there.is_undefined() {
        return None;
    }
    let answer = crypto.digest_with_str_and_buffer_source("SHA-256", bytes).ok()?;
    let digest: ArrayBuffer = JsFuture::from(answer).await.ok()?.dyn_into().ok()?;
    Uint8Array::new(&digest).to_vec().try_into().ok()
}

/// In hex, as the server writes digests.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
        text
    })
}

/// In base64, as tus writes digests and names.
pub fn base64(bytes: &[u8]) -> String {
    // The browser's encoder takes a text whose characters are bytes.
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    window().btoa(&text).unwrap_or_default()
}
