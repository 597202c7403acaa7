//! How other machines are reached by SSH: with the settings' key, and only where their host key was confirmed.

use crate::config::Tools;
use gatepost_tools::{
    find,
    ssh::{KnownHosts, Ssh},
};

impl Tools {
    /// The system's ssh with the key of the settings.
    ///
    /// # Errors
    /// A sentence, where there is no ssh or no key was named.
    pub fn ssh(&self) -> Result<Ssh, String> {
        let program = find(None, None, &["ssh"])
            .ok_or("There is no ssh on this server. Install it (Debian and Ubuntu: apt-get install openssh-client).")?;
        let key = self.ssh_key.clone().ok_or(
            "No SSH key is set. Name a private key without a passphrase in GATEPOST_SSH_KEY_FILE, and add its public half \
             to ~/.ssh/authorized_keys on the other machine.",
        )?;
        Ok(Ssh { program, key, known_hosts: KnownHosts::at(self.known_hosts.clone()) })
    }
}
