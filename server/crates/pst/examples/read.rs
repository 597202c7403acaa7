//! Reads a file through, every value and every attachment, and says what is in it and how long it took.

use gatepost_mapi::{Attachment, Key, Message, Value, tags};
use gatepost_pst::{Pst, PstError};
use std::{io, path::Path, time::Instant};

fn main() -> Result<(), PstError> {
    let Some(path) = std::env::args_os().nth(1) else {
        println!("usage: read FILE");
        return Ok(());
    };
    let begin = Instant::now();
    let pst = Pst::open_path(Path::new(&path))?;
    println!("{}, encoding {}", pst.format(), pst.encoding());
    let (mut items, mut lost, mut bytes) = (0_u64, 0_u64, 0_u64);
    for folder in pst.folders()? {
        let mut here = 0_u64;
        for item in pst.items(folder.nid)? {
            here += 1;
            match pst.message(item.nid) {
                Ok(message) => bytes += weigh(&message),
                Err(why) => {
                    lost += 1;
                    println!("{:X} {}: {why}", item.nid, item.subject.unwrap_or_default());
                }
            }
        }
        items += here;
        println!("{here:>8} /{}", folder.path.join("/"));
    }
    println!("{items} items, {lost} lost, {bytes} bytes in {:.2} s", begin.elapsed().as_secs_f64());
    pst.damage().iter().for_each(|sentence| println!("{sentence}"));
    Ok(())
}

fn weigh(message: &dyn Message) -> u64 {
    let mut sum = values(message);
    for index in 0..message.attachments() {
        let Ok(attachment) = message.attachment(index) else { continue };
        sum += match attachment.embedded() {
            Ok(Some(inner)) => weigh(&*inner),
            _ => data(&*attachment),
        };
    }
    sum
}

fn values(object: &dyn Message) -> u64 {
    let mut sum = 0;
    for (key, value) in object.properties().iter() {
        sum += match value {
            Value::Text(text) => text.len() as u64,
            Value::Bytes(bytes) => bytes.len() as u64,
            Value::Large { .. } => drain(object.open(key)),
            _ => 8,
        };
    }
    sum
}

fn data(attachment: &dyn Attachment) -> u64 {
    drain(attachment.open(&Key::Tag(tags::ATTACH_DATA)))
}

fn drain(stream: Result<Option<Box<dyn io::Read + '_>>, gatepost_mapi::Error>) -> u64 {
    match stream {
        Ok(Some(mut stream)) => io::copy(&mut stream, &mut io::sink()).unwrap_or(0),
        _ => 0,
    }
}
