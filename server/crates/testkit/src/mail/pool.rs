//! Ready-made lines that message bodies are cut from: composing is then copying, which keeps 10,000 messages fast in a
//! debug build too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

/// Bytes in a pool, about.
const POOL_BYTES: usize = 192 * 1024;

const WORDS: [&str; 40] = [
    "a",
    "ação",
    "amanhã",
    "anexo",
    "até",
    "café",
    "cliente",
    "com",
    "contrato",
    "coração",
    "de",
    "depois",
    "e",
    "endereço",
    "então",
    "é",
    "fatura",
    "informação",
    "já",
    "lição",
    "mês",
    "migração",
    "não",
    "número",
    "o",
    "obrigado",
    "pagamento",
    "para",
    "pedido",
    "por",
    "proposta",
    "que",
    "reunião",
    "se",
    "segunda-feira",
    "servidor",
    "também",
    "três",
    "à",
    "último",
];

/// Lines ended by CRLF.
#[derive(Debug)]
pub(super) struct Pool {
    bytes: Vec<u8>,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl Pool {
    /// Words in lines of at most 76 characters, each character written by `encode`.
    pub(super) fn words(rng: &mut ChaCha8Rng, encode: impl Fn(char, &mut Vec<u8>)) -> Pool {
        let mut pool = Pool { bytes: Vec::with_capacity(POOL_BYTES + 256), starts: Vec::new() };
        while pool.bytes.len() < POOL_BYTES {
            pool.starts.push(pool.bytes.len());
            let mut width = 0;
            while width < 64 {
                let word = WORDS[rng.random_range(0..WORDS.len())];
                if width > 0 {
                    pool.bytes.push(b' ');
                }
                word.chars().for_each(|character| encode(character, &mut pool.bytes));
                width += word.chars().count() + 1;
            }
            pool.bytes.extend_from_slice(b"\r\n");
        }
        pool
    }

    /// Random bytes in base64, 76 characters a line.
    pub(super) fn base64(rng: &mut ChaCha8Rng) -> Pool {
        let mut pool = Pool { bytes: Vec::with_capacity(POOL_BYTES + 256), starts: Vec::new() };
        while pool.bytes.len() < POOL_BYTES {
            pool.starts.push(pool.bytes.len());
            let mut raw = [0_u8; 57];
            rng.fill(&mut raw);
            pool.bytes.extend_from_slice(STANDARD.encode(raw).as_bytes());
            pool.bytes.extend_from_slice(b"\r\n");
        }
        pool
    }

    /// Appends whole lines, at least one and about `size` bytes, from a random place on.
    pub(super) fn pour(&self, rng: &mut ChaCha8Rng, size: usize, out: &mut Vec<u8>) {
        let mut left = size;
        loop {
            let start = self.starts[rng.random_range(0..self.starts.len())];
            let rest = &self.bytes[start..];
            if left >= rest.len() {
                out.extend_from_slice(rest);
                left -= rest.len();
                continue;
            }
            let end = rest[left..].iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| left + at + 1);
            out.extend_from_slice(&rest[..end]);
            return;
        }
    }
}
