//! The names that a provider gives to the special-use folders (RFC 6154).

/// Which names the special-use folders have on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpecialUse {
    /// `Sent`, `Drafts`, `Trash`, `Junk`, `Archive`.
    English,
    /// `Enviados`, `Rascunhos`, `Itens Excluídos`, `Lixo Eletrônico`, `Arquivo Morto`.
    #[default]
    Portuguese,
    /// The server marks no folder, and none is generated.
    None,
}

impl SpecialUse {
    /// The folders as (attribute, name), always in the order Sent, Drafts, Trash, Junk, Archive.
    #[must_use]
    pub fn folders(self) -> &'static [(&'static str, &'static str)] {
        match self {
            SpecialUse::English => &[
                ("\\Sent", "Sent"),
                ("\\Drafts", "Drafts"),
                ("\\Trash", "Trash"),
                ("\\Junk", "Junk"),
                ("\\Archive", "Archive"),
            ],
            SpecialUse::Portuguese => &[
                ("\\Sent", "Enviados"),
                ("\\Drafts", "Rascunhos"),
                ("\\Trash", "Itens Excluídos"),
                ("\\Junk", "Lixo Eletrônico"),
                ("\\Archive", "Arquivo Morto"),
            ],
            SpecialUse::None => &[],
        }
    }
}
