//! Writes every item of a `.pst`, `.ost` or `.msg` file into a folder, to be looked at: `convert FILE FOLDER`. With `-`
//! for a folder nothing is written, and only the notes are shown.

use gatepost_mapi::{Message, facts, item, msg};
use std::{
    error::Error,
    fs::{self, File},
    io::BufWriter,
    path::Path,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, folder] = arguments.as_slice() else { return Err("convert FILE FOLDER".into()) };
    let (file, folder) = (Path::new(file), Path::new(folder));
    if file.extension().is_some_and(|e| e == "msg") {
        return save(&msg::open(File::open(file)?)?, folder, "item");
    }
    let pst = gatepost_pst::Pst::open_path(file)?;
    for found in pst.folders()? {
        let into = found.path.iter().fold(folder.to_owned(), |path, name| path.join(name.replace('/', "_")));
        for (number, reference) in pst.items(found.nid)?.enumerate() {
            let name = format!("{}", number + 1);
            match pst.message(reference.nid) {
                Ok(message) => save(&message, &into, &name)?,
                Err(error) => println!("{}/{name}: {error}", into.display()),
            }
        }
    }
    Ok(())
}

fn save(message: &dyn Message, folder: &Path, name: &str) -> Result<(), Box<dyn Error>> {
    let known = facts(message);
    if folder.starts_with("-") {
        item::write(message, &mut std::io::sink())?.iter().for_each(|note| println!("{note}"));
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("{name}.{}", known.kind.extension()));
    let notes = item::write(message, &mut BufWriter::new(File::create(&path)?))?;
    println!("{} {} {:?} {:?} {:?}", path.display(), known.class, known.flags, known.keywords, known.subject);
    notes.iter().for_each(|note| println!("  {note}"));
    Ok(())
}
