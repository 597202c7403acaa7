//! Turns `locales/*.json` into the module `crate::i18n::generated`. Only the server renders text, so the browser's
//! build carries no translation at all.

use leptos_i18n_build::{Config, ParseOptions, TranslationsInfos, options::CodegenOptions};
use std::{error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.toml");
    if std::env::var_os("CARGO_FEATURE_SSR").is_none() {
        return Ok(());
    }
    let directory = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?).join("i18n");
    // Texts are used as strings, not as views.
    let options = ParseOptions::default().interpolate_display(true);
    let config = Config::new("en")?.add_locale("pt-BR")?.locales_path("locales").parse_options(options);
    let translations = TranslationsInfos::parse(config)?;
    translations.emit_diagnostics();
    translations.rerun_if_locales_changed();
    let attributes = "#![allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic)]".parse()?;
    let options = CodegenOptions::default().top_level_attributes(Some(attributes)).gen_docs(false);
    translations.generate_i18n_module_with_options(directory, options)?;
    Ok(())
}
