//! Opening the database, its connections, and a copy of it.

use crate::{
    Conn, Error, Result,
    dialect::{Dialect, Durability},
    migrate::migrate,
};
use sqlx::{Any, AnyPool, AssertSqlSafe, Connection, Transaction, any::AnyPoolOptions, pool::PoolConnection};
use std::{
    fmt, fs, io,
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// How many may read at once.
const READERS: u32 = 8;
/// How long one waits for a connection before that is an error.
const PATIENCE: Duration = Duration::from_secs(30);

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    /// SQLite allows one writer: with one connection, writers queue here and not in busy loops.
    writer: AnyPool,
    reader: AnyPool,
    dialect: Dialect,
    url: String,
    /// What [`Store::in_memory`] made and takes away again.
    temporary: Option<PathBuf>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        f.debug_struct("Store").field("dialect", &self.0.dialect).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(folder) = &self.temporary {
            // A leftover in the temporary folder harms nobody.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

impl Store {
    /// Opens the database, making it where it does not exist, and brings its schema up to date. `url` is a path,
    /// `sqlite://path?mode=rwc` or `postgres://…`. A new SQLite file is readable by its owner alone (0600), as is a
    /// folder made for it (0700). Before the schema of an SQLite file is changed, the file is copied to one beside it,
    /// `.before-` and the number of the first change.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, None).await
    }

    /// A database of its own in the temporary folder, gone with the last clone of the store.
    pub async fn in_memory() -> Result<Self> {
        static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let n = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let folder = std::env::temp_dir().join(format!("gatepost-{}-{n}-{since}", std::process::id()));
        let file = folder.join("gatepost.db");
        let path = file.to_str().ok_or_else(|| path_error(&file, not_utf8()))?;
        Self::open_with(path, Some(folder.clone())).await
    }

    async fn open_with(url: &str, temporary: Option<PathBuf>) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let dialect = Dialect::of_url(url);
        let url = match dialect {
            Dialect::Sqlite => prepare_file(url)?,
            Dialect::Postgres => url.to_owned(),
        };
        let writers = if dialect == Dialect::Sqlite { 1 } else { READERS };
        let writer = pool(dialect, writers, false).connect(&url).await?;
        migrate(&writer, dialect, &url).await?;
        let reader = pool(dialect, READERS, true).connect_lazy(&url)?;
        Ok(Self(Arc::new(Inner { writer, reader, dialect, url, temporary })))
    }

    /// A connection to look with. It refuses to write.
    pub async fn reader(&self) -> Result<Reader> {
        Ok(Reader(self.0.reader.acquire().await?))
    }

    /// A transaction to look with: everything read in it is of one moment, however much others write meanwhile.
    pub async fn snapshot(&self) -> Result<Tx> {
        Ok(Tx(self.0.reader.begin_with(self.0.dialect.snapshot()).await?))
    }

    /// A transaction. It is undone unless [`Tx::commit`] is called. On SQLite there is one at a time: whoever holds
    /// one and asks for a second waits for itself, and gets an error after half a minute.
    pub async fn begin(&self) -> Result<Tx> {
        Ok(Tx(self.0.writer.begin_with(self.0.dialect.begin(Durability::Answered)).await?))
    }

    /// The same for what can be found out again: a power cut may undo it, a crash of the process does not. It saves an
    /// fsync, of which a run would need several for each folder.
    pub async fn begin_recoverable(&self) -> Result<Tx> {
        Ok(Tx(self.0.writer.begin_with(self.0.dialect.begin(Durability::Eventual)).await?))
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT count(*) FROM settings").execute(&mut *self.reader().await?).await?;
        Ok(())
    }

    /// Writes a consistent copy to a new file, 0600, while others go on reading and writing.
    pub async fn backup(&self, path: &Path) -> Result<()> {
        if self.0.dialect == Dialect::Postgres {
            return Err(Error::Backup("A PostgreSQL database is backed up with pg_dump.".into()));
        }
        let text = path.to_str().ok_or_else(|| path_error(path, not_utf8()))?;
        copy_file(&self.0.url, path, text).await
    }

    /// Ends all connections, after what they are at.
    pub async fn close(&self) {
        self.0.reader.close().await;
        self.0.writer.close().await;
    }
}

/// A connection to look with.
pub struct Reader(PoolConnection<Any>);

impl Deref for Reader {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.0
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.0
    }
}

/// A transaction: what it did is undone when it is dropped without [`Tx::commit`].
pub struct Tx(Transaction<'static, Any>);

impl Tx {
    /// Makes it last.
    pub async fn commit(self) -> Result<()> {
        Ok(self.0.commit().await?)
    }

    /// Undoes it now, instead of when the connection is next used.
    pub async fn rollback(self) -> Result<()> {
        Ok(self.0.rollback().await?)
    }
}

impl Deref for Tx {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.0
    }
}

fn pool(dialect: Dialect, size: u32, read_only: bool) -> AnyPoolOptions {
    AnyPoolOptions::new().max_connections(size).acquire_timeout(PATIENCE).after_connect(move |conn, _| {
        Box::pin(async move {
            for statement in dialect.setup(read_only) {
                sqlx::query(AssertSqlSafe(*statement)).execute(&mut *conn).await?;
            }
            Ok(())
        })
    })
}

/// Copies an SQLite database to a new file, 0600, while others go on reading and writing.
pub(crate) async fn copy_file(url: &str, to: &Path, text: &str) -> Result<()> {
    // VACUUM INTO takes an empty file: making it here refuses one that exists and sets who may read it.
    make_file(to, true).map_err(|e| path_error(to, e))?;
    let copied = async {
        // Neither the writer, whom it would hold up, nor a reader, which may not write even elsewhere.
        let mut conn = Conn::connect(url).await?;
        sqlx::query("PRAGMA busy_timeout = 10000").execute(&mut conn).await?;
        sqlx::query("VACUUM INTO $1").bind(text.to_owned()).execute(&mut conn).await?;
        conn.close().await?;
        Result::Ok(())
    };
    if let Err(error) = copied.await {
        // The caller gets the error that matters.
        let _ = fs::remove_file(to);
        return Err(error);
    }
    fs::File::open(to).and_then(|f| f.sync_all()).map_err(|e| path_error(to, e))
}

/// Makes the file and its folder where they are missing, and gives the URL that names the file absolutely.
fn prepare_file(url: &str) -> Result<String> {
    let path = match url.strip_prefix("sqlite:") {
        Some(rest) => {
            let rest = rest.strip_prefix("//").unwrap_or(rest);
            percent_decode(rest.split('?').next().unwrap_or_default())
        }
        None => PathBuf::from(url),
    };
    if path.as_os_str().is_empty() || path == Path::new(":memory:") {
        return Err(path_error(&path, io::Error::new(io::ErrorKind::InvalidInput, "the database must be a file")));
    }
    let path = std::path::absolute(&path).map_err(|e| path_error(&path, e))?;
    if let Some(folder) = path.parent().filter(|f| !f.exists()) {
        make_folder(folder).map_err(|e| path_error(folder, e))?;
    }
    make_file(&path, false).map_err(|e| path_error(&path, e))?;
    let text = path.to_str().ok_or_else(|| path_error(&path, not_utf8()))?;
    Ok(format!("sqlite://{}?mode=rwc", percent_encode(text)))
}

fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn make_file(path: &Path, must_be_new: bool) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(!must_be_new).create_new(must_be_new);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

pub(crate) fn percent_encode(path: &str) -> String {
    use fmt::Write as _;
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes everything");
        }
    }
    out
}

pub(crate) fn percent_decode(text: &str) -> PathBuf {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        if let Some(byte) = code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    PathBuf::from(String::from_utf8_lossy(&out).into_owned())
}

pub(crate) fn path_error(path: &Path, cause: io::Error) -> Error {
    Error::Path { path: path.display().to_string(), cause }
}

fn not_utf8() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8")
}
