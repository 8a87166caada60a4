//! A decoder process as the daemon sees it: two pipes, a backlog, and a kill.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::detect::backlog::Backlog;
use crate::detect::protocol::{self, Message, Reply, Request};

/// A running decoder process; killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    // Killed when dropped.
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: Option<ChildStderr>,
    outgoing: BytesMut,
    incoming: BytesMut,
    complaint: BytesMut,
    pub(super) backlog: Backlog,
}

/// What a wait brought.
#[derive(Debug)]
pub(super) enum Step {
    /// Bytes moved; there may be replies.
    Moved,
    /// A line that it wrote to stderr.
    Complaint(String),
}

const READ: usize = 64 << 10;
/// From the end of a process's last pipe until the kernel says how it ended.
const LAST_WORD: Duration = Duration::from_millis(200);
const LONGEST_COMPLAINT: usize = 400;
/// The lowest priority that there is.
const LAST: i32 = 19;

impl Process {
    /// Starts `exe decoder` with an empty environment, in a process group of its own: Ctrl-C in the daemon's terminal is for
    /// the daemon, which then stops its decoders when nothing needs them any more.
    pub(super) fn start(exe: &Path) -> io::Result<Self> {
        let mut child = Command::new(exe)
            .arg("decoder")
            .env_clear()
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let missing = || io::Error::other("a pipe is missing");
        Ok(Self {
            stdin: child.stdin.take().ok_or_else(missing)?,
            stdout: child.stdout.take().ok_or_else(missing)?,
            stderr: child.stderr.take(),
            child,
            outgoing: BytesMut::new(),
            incoming: BytesMut::new(),
            complaint: BytesMut::new(),
            backlog: Backlog::new(),
        })
    }

    /// Everything else on this machine goes first. Best effort: it works as well without.
    pub(super) fn yield_to_others(&self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            let _ = rustix::process::setpriority_process(Some(id), LAST);
        }
    }

    /// Lets it end, once all its answers were taken, and waits for that.
    pub(super) async fn finish(mut self) -> io::Result<()> {
        drop(self.stdin);
        let _ended = self.child.wait().await?;
        Ok(())
    }

    /// Puts a request behind those that wait.
    pub(super) fn ask(&mut self, request: &Request) {
        request.put(&mut self.outgoing);
    }

    /// The next reply that has arrived whole.
    pub(super) fn reply(&mut self) -> Result<Option<Reply>, protocol::ProtocolError> {
        protocol::take(&mut self.incoming)
    }

    /// Waits until bytes can be moved either way, and moves them. May be cancelled: nothing is lost.
    pub(super) async fn step(&mut self) -> io::Result<Step> {
        self.incoming.reserve(READ);
        let has_words = self.stderr.is_some();
        tokio::select! {
            read = self.stdout.read_buf(&mut self.incoming) => match read? {
                0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, how_it_ended(&mut self.child).await)),
                _ => Ok(Step::Moved),
            },
            written = self.stdin.write_buf(&mut self.outgoing), if self.outgoing.has_remaining() => {
                written?;
                Ok(Step::Moved)
            }
            read = read_words(self.stderr.as_mut(), &mut self.complaint), if has_words => {
                if read? == 0 {
                    self.stderr = None;
                    return Ok(Step::Moved);
                }
                let words = String::from_utf8_lossy(&self.complaint).chars().take(LONGEST_COMPLAINT).map(|c| if c.is_control() { ' ' } else { c }).collect();
                self.complaint.clear();
                Ok(Step::Complaint(words))
            }
        }
    }
}

async fn how_it_ended(child: &mut Child) -> String {
    match tokio::time::timeout(LAST_WORD, child.wait()).await {
        Ok(Ok(status)) if status.signal() == Some(libc::SIGSYS) => {
            format!("it tried to do what a decoder may not do ({status})")
        }
        Ok(Ok(status)) => format!("it ended ({status})"),
        _ => "it closed its pipe".to_owned(),
    }
}

async fn read_words(stderr: Option<&mut ChildStderr>, into: &mut BytesMut) -> io::Result<usize> {
    into.reserve(1024);
    match stderr {
        Some(stderr) => stderr.read_buf(into).await,
        None => Ok(0),
    }
}
