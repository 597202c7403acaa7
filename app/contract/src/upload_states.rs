//! The closed sets of names of uploads.

use crate::names::{UnknownName, names};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

names! {
    /// How a file came.
    "origin of a file" UploadOrigin {
        /// In pieces, resumable.
        Tus = "tus",
        /// In one request.
        Multipart = "multipart",
        /// It lies on the server already.
        Server = "server",
    }
}

names! {
    /// Where a file stands.
    "state of a file" UploadState {
        /// Bytes are still to come.
        Receiving = "receiving",
        /// All bytes are there and checked; it is still to be read through.
        Stored = "stored",
        /// It was read through and can be copied from.
        Ready = "ready",
        /// It cannot be used; its error says why.
        Refused = "refused",
        /// Its bytes were deleted.
        Deleted = "deleted",
    }
}
