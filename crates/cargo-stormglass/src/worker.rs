//! One process of a test, and the talk with it.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use stormglass::Config;
use stormglass::run::worker::{Job, MEMORY, Message, SOCKET};

use crate::cargo::Program;

/// How a test's process is started.
#[derive(Clone, Debug)]
pub struct Launch {
    pub program: Program,
    pub test: String,
    /// Bytes of address space.
    pub memory: Option<u64>,
    /// How long it may say nothing.
    pub timeout: Duration,
    /// The level of `tracing` events to print; with one, its standard error is passed on.
    pub log: Option<String>,
}

impl Launch {
    /// The command of the test alone, as cargo would run it.
    pub fn command(&self) -> Command {
        let package = &self.program.package;
        let mut command = Command::new(&self.program.path);
        command
            .args([&self.test, "--exact", "--nocapture", "--test-threads=1"])
            .current_dir(&package.root)
            .env("CARGO_PKG_NAME", &package.name)
            .env("CARGO_MANIFEST_DIR", &package.root)
            .env("RUST_BACKTRACE", "0")
            // Ctrl-C is for the runner, which then lets its processes finish.
            .process_group(0)
            .stdin(Stdio::null());
        for name in [
            "SEED", "SEEDS", "CHECK", "SCENARIO", "LOG", "DOCTOR", "SHRINK",
        ] {
            command.env_remove(format!("STORMGLASS_{name}"));
        }
        command
    }
}

/// A process that is there and waits for jobs.
pub struct Worker {
    child: Child,
    jobs: UnixStream,
    messages: BufReader<UnixStream>,
    /// What was read of a line that is not whole yet.
    line: Vec<u8>,
    words: Arc<Mutex<LastWords>>,
    listener: Option<JoinHandle<()>>,
    timeout: Duration,
    /// The test's own configuration.
    pub config: Config,
}

/// How a job ended.
pub enum Served {
    /// The process waits for another.
    Idle,
    /// The process is gone.
    Gone {
        /// The seed that was running.
        running: Option<u64>,
        death: Death,
    },
}

/// How a process ended.
#[derive(Clone, Debug)]
pub struct Death {
    pub how: String,
    pub last_words: Vec<String>,
}

impl Worker {
    /// Starts a process and waits until it is there. The error says in a few lines why it is not.
    pub fn start(launch: &Launch) -> Result<Self, String> {
        let socket = Socket::bind().map_err(|error| format!("no socket for the test: {error}"))?;
        let mut command = launch.command();
        command
            .env(SOCKET, &socket.path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(bytes) = launch.memory {
            command.env(MEMORY, bytes.to_string());
        }
        if let Some(level) = &launch.log {
            command.env("STORMGLASS_LOG", level);
        }
        let path = launch.program.path.display();
        let mut child = command
            .spawn()
            .map_err(|error| format!("cannot run {path}: {error}"))?;
        let words = Arc::new(Mutex::new(LastWords::default()));
        let listener = child.stderr.take().map(|stderr| {
            let (words, passes_on) = (words.clone(), launch.log.is_some());
            thread::spawn(move || listen(stderr, &words, passes_on))
        });
        let connected = socket.accept(&mut child).and_then(|stream| {
            stream.set_read_timeout(Some(launch.timeout))?;
            Ok((stream.try_clone()?, stream))
        });
        let (jobs, stream) = match connected {
            Ok(streams) => streams,
            Err(error) => {
                let death = end(&mut child, listener, &words);
                return Err(format!("`{}` {error}: {}", launch.test, death.told()));
            }
        };
        let mut worker = Self {
            child,
            jobs,
            messages: BufReader::new(stream),
            line: Vec::new(),
            words,
            listener,
            timeout: launch.timeout,
            config: Config::default(),
        };
        match worker.next() {
            Ok(Some(Message::Ready { config, .. })) => worker.config = *config,
            _ => {
                let death = worker.bury();
                return Err(format!("`{}` did not begin: {}", launch.test, death.told()));
            }
        }
        Ok(worker)
    }

    /// Has a job done. `on` hears all that the process says; if it gives false, the process is
    /// killed.
    pub fn serve(&mut self, job: &Job, mut on: impl FnMut(Message) -> bool) -> Served {
        let mut running = None;
        let asked = serde_json::to_vec(job).map_err(io::Error::other);
        let asked = asked.and_then(|mut line| {
            line.push(b'\n');
            self.jobs.write_all(&line)
        });
        let (mut silent, mut unwanted) = (false, false);
        while asked.is_ok() {
            match self.next() {
                Ok(Some(Message::Idle)) => return Served::Idle,
                Ok(Some(message)) => {
                    match &message {
                        Message::Began { seed } => {
                            running = Some(*seed);
                            lock(&self.words).lines.clear();
                        }
                        Message::Ran(_) => running = None,
                        _ => {}
                    }
                    if !on(message) {
                        unwanted = true;
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    silent = matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    );
                    break;
                }
            }
        }
        if silent || unwanted {
            // It may have ended in this moment.
            let _ = self.child.kill();
        }
        let mut death = self.bury();
        if silent {
            death.how = format!("the runner, after no word for {:?}", self.timeout);
        }
        Served::Gone { running, death }
    }

    /// The next message; none at the end.
    fn next(&mut self) -> io::Result<Option<Message>> {
        // A line may come in parts; those before a timeout are kept.
        let count = self.messages.read_until(b'\n', &mut self.line)?;
        if count == 0 || self.line.last() != Some(&b'\n') {
            return Ok(None);
        }
        let message = serde_json::from_slice(&self.line);
        self.line.clear();
        message.map(Some).map_err(io::Error::other)
    }

    fn bury(&mut self) -> Death {
        end(&mut self.child, self.listener.take(), &self.words)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be gone already, and then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Death {
    fn told(&self) -> String {
        let mut text = format!("the process ended by {}", self.how);
        for line in &self.last_words {
            text.push_str("\n  ");
            text.push_str(line);
        }
        text
    }
}

/// Waits for a process that has ended or hung up; kills it if it does not end.
fn end(child: &mut Child, listener: Option<JoinHandle<()>>, words: &Mutex<LastWords>) -> Death {
    let patience = Instant::now();
    let mut status = None;
    while status.is_none() && patience.elapsed() < GRACE {
        status = child.try_wait().ok().flatten();
        if status.is_none() {
            thread::sleep(Duration::from_millis(2));
        }
    }
    if status.is_none() {
        // Errors mean that it has just ended by itself.
        let _ = child.kill();
        status = child.wait().ok();
    } else if let Some(listener) = listener {
        // A grandchild may hold the pipe open; its words are not waited for.
        let patience = Instant::now();
        while !listener.is_finished() && patience.elapsed() < GRACE {
            thread::sleep(Duration::from_millis(2));
        }
    }
    let last_words = lock(words).lines.iter().cloned().collect();
    let how = status.map_or_else(|| "an unknown way".to_owned(), how_it_ended);
    Death { how, last_words }
}

/// How long a process that has hung up may take to end.
const GRACE: Duration = Duration::from_secs(5);

fn how_it_ended(status: ExitStatus) -> String {
    if let Some(signal) = status.signal() {
        let name = match signal {
            4 => " (SIGILL)",
            6 => " (SIGABRT)",
            7 => " (SIGBUS)",
            8 => " (SIGFPE)",
            9 => " (SIGKILL)",
            11 => " (SIGSEGV)",
            15 => " (SIGTERM)",
            _ => "",
        };
        return format!("signal {signal}{name}");
    }
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => "an unknown way".to_owned(),
    }
}

/// The last lines of a process's standard error.
#[derive(Default)]
struct LastWords {
    lines: VecDeque<String>,
}

impl LastWords {
    const LINES: usize = 12;
    const LETTERS: usize = 300;

    fn push(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        if self.lines.len() == Self::LINES {
            self.lines.pop_front();
        }
        self.lines
            .push_back(line.chars().take(Self::LETTERS).collect());
    }
}

fn lock(words: &Mutex<LastWords>) -> std::sync::MutexGuard<'_, LastWords> {
    words.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(stderr: impl Read, words: &Mutex<LastWords>, passes_on: bool) {
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    while reader
        .read_until(b'\n', &mut line)
        .is_ok_and(|count| count > 0)
    {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if passes_on {
            eprintln!("{text}");
        }
        lock(words).push(text);
        line.clear();
    }
}

/// A socket on which one process is awaited.
struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    fn bind() -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stormglass-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // One that a killed runner of this number left behind.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path })
    }

    fn accept(&self, child: &mut Child) -> io::Result<UnixStream> {
        let begun = Instant::now();
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    return Ok(stream);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if child.try_wait()?.is_some() {
                return Err(io::Error::other("ended before it asked for work"));
            }
            if begun.elapsed() > START {
                return Err(io::Error::other(format!("asked for no work in {START:?}")));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// How long a process may take to begin.
const START: Duration = Duration::from_secs(60);

impl Drop for Socket {
    fn drop(&mut self) {
        // Another may have cleared the directory up.
        let _ = std::fs::remove_file(&self.path);
    }
}
