//! The servers' programs, built once for all tests, and run so that none outlives the test that started it.

use std::{
    env, fs,
    io::{self, Read, Seek},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// Programs that a script in this folder builds, once for all tests.
pub struct Kit {
    /// Of its folder in the cache: what is built, and the version of the recipe.
    pub name: &'static str,
    /// What it holds.
    pub programs: &'static [&'static str],
    /// What builds it into the folder that it is given.
    pub script: &'static str,
    /// How long that takes, about.
    pub takes: &'static str,
    /// The environment variable that names a folder which has the programs already.
    pub variable: &'static str,
}

/// The servers of a cluster.
const SERVERS: Kit = Kit {
    name: "envtest-1.34.4",
    programs: &["etcd", "kube-apiserver"],
    script: "build.sh",
    takes: "5 minutes",
    variable: "KUBEBUILDER_ASSETS",
};

/// What collects the garbage in a cluster.
const MANAGER: Kit = Kit {
    name: "controller-manager-1.34.4",
    programs: &["kube-controller-manager"],
    script: "build.sh",
    takes: "2 minutes",
    variable: "HYPERSTUDY_TEST_MANAGER",
};

/// An S3 server.
const S3: Kit = Kit {
    name: "versitygw-1.8.0",
    programs: &["versitygw"],
    script: "build.sh",
    takes: "4 minutes",
    variable: "HYPERSTUDY_TEST_S3",
};

/// Where a server's program is.
pub fn server(program: &str) -> PathBuf {
    let kits = [&SERVERS, &MANAGER, &S3];
    let kit = kits.into_iter().find(|kit| kit.programs.contains(&program));
    kit.unwrap_or_else(|| panic!("nothing builds {program}"))
        .folder()
        .join(program)
}

impl Kit {
    /// The folder with the programs: the one that the variable names, or one in the user's cache, where they are built if they are not there yet.
    pub fn folder(&self) -> PathBuf {
        if let Some(folder) = env::var_os(self.variable).filter(|f| !f.is_empty()) {
            return folder.into();
        }
        let folder = cache().join(self.name);
        let parent = folder.parent().expect("the cache is a folder in a folder");
        fs::create_dir_all(parent).unwrap_or_else(|e| panic!("{}: {e}", parent.display()));
        // Several tests may start at once: the first builds, the others wait for it.
        let lock = fs::File::create(parent.join(format!("{}.lock", self.name))).unwrap();
        lock.lock().unwrap();
        if !self.programs.iter().all(|program| folder.join(program).is_file()) {
            self.build(&folder);
        }
        folder
    }

    /// Builds into a folder of another name first, so that a half-built one is never taken for the whole.
    fn build(&self, folder: &Path) {
        let (programs, script) = (self.programs.join(", "), self.script);
        eprintln!(
            "building {programs} into {}: about {}, once",
            folder.display(),
            self.takes
        );
        let unfinished = folder.with_file_name(format!("{}.unfinished", self.name));
        let _ = fs::remove_dir_all(&unfinished);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support").join(script);
        let done = Command::new("sh")
            .arg(path)
            .arg(&unfinished)
            .args(self.programs)
            .stdout(Stdio::null())
            .status();
        assert!(
            done.as_ref().is_ok_and(|status| status.success()),
            "tests/support/{script}: {done:?}; it needs go, or set {} to a folder with {programs}",
            self.variable
        );
        let _ = fs::remove_dir_all(folder);
        fs::rename(&unfinished, folder).unwrap();
    }
}

/// Where programs are kept: `$HYPERSTUDY_TEST_CACHE`, or a folder in the user's cache.
fn cache() -> PathBuf {
    if let Some(folder) = env::var_os("HYPERSTUDY_TEST_CACHE").filter(|f| !f.is_empty()) {
        return folder.into();
    }
    let cache = env::var_os("XDG_CACHE_HOME")
        .filter(|f| !f.is_empty())
        .map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    let cache = cache.expect("set HOME, HYPERSTUDY_TEST_CACHE or KUBEBUILDER_ASSETS");
    cache.join("hyperstudy")
}

/// A running program that is killed, and its folder removed, when this is dropped or the test's process ends, however it ends:
/// a shell holds the other end of a pipe, which the system closes then.
pub struct Running {
    shell: Child,
    pipe: Option<ChildStdin>,
    /// Open, as it goes with the folder.
    log: fs::File,
    pid: PathBuf,
}

/// `$0` is the folder, the rest the program and its arguments. A job in the background would not get the pipe by itself.
const SUPERVISE: &str = r#"
trap '' INT
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
echo "$program" >.pid && mv .pid pid
{ cat <&3 >/dev/null; kill -9 "$program"; } 2>/dev/null &
wait "$program"
status=$?
rm -rf "$0"
exit "$status"
"#;

impl Running {
    /// Starts `program` with `folder` as its own, in which `log` says what it said.
    pub fn start(program: &Path, arguments: &[String], folder: &Path) -> io::Result<Self> {
        let log = folder.join("log");
        let output = fs::File::create(&log)?;
        let log = fs::File::open(&log)?;
        let mut shell = Command::new("sh")
            .args(["-c", SUPERVISE])
            .arg(folder)
            .arg(program)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let pipe = shell.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self {
            shell,
            pipe: Some(pipe),
            log,
            pid: folder.join("pid"),
        })
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.shell.try_wait(), Ok(None))
    }

    /// Its process id; `None` until it has started.
    pub fn pid(&self) -> Option<i32> {
        fs::read_to_string(&self.pid).ok()?.trim().parse().ok()
    }

    /// Kills it at once; comes back when it is gone.
    pub fn kill(mut self) {
        drop(self.pipe.take());
        let _ = self.shell.wait();
    }

    /// Waits until it ends by itself; its exit status, that of the shell being the same.
    pub fn end(&mut self) -> io::Result<ExitStatus> {
        // `wait` of the standard library would close the pipe first.
        loop {
            if let Some(status) = self.shell.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// All of its log.
    pub fn log(&self) -> String {
        let mut text = Vec::new();
        let mut log = &self.log;
        let _ = log.rewind().and_then(|()| log.read_to_end(&mut text));
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let text = self.log();
        let start = text.char_indices().rev().nth(4000).map_or(0, |(at, _)| at);
        text[start..].to_owned()
    }
}

/// A program with data of its own that may be stopped for a while, or killed and started again on the same data.
pub struct Service {
    program: PathBuf,
    arguments: Vec<String>,
    running: Mutex<Option<Running>>,
}

impl Service {
    /// Starts it. Its data have to be elsewhere than in the folder that each of its processes has for itself.
    pub fn start(program: PathBuf, arguments: Vec<String>) -> io::Result<Self> {
        let service = Self {
            program,
            arguments,
            running: Mutex::default(),
        };
        service.start_again()?;
        Ok(service)
    }

    /// Starts it again after it was killed.
    pub fn start_again(&self) -> io::Result<()> {
        let running = Running::start(&self.program, &self.arguments, &own_folder()?)?;
        *self.running() = Some(running);
        Ok(())
    }

    /// Kills it at once; comes back when it is gone.
    pub fn kill(&self) {
        let running = self.running().take();
        running.into_iter().for_each(Running::kill);
    }

    /// Stops it in the middle of what it does: it answers nothing, and its connections stay.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Whether it has ended by itself, or was killed.
    pub fn has_ended(&self) -> bool {
        self.running().as_mut().is_none_or(Running::has_ended)
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        self.running().as_ref().map(Running::last_words).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        let pid = self.running().as_ref().and_then(Running::pid).and_then(Pid::from_raw);
        kill_process(pid.expect("it runs"), signal).unwrap();
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A folder that goes when this is dropped or the test's process ends, however it ends: a program that does nothing has it as its own.
pub struct Kept {
    pub folder: PathBuf,
    _keeper: Running,
}

impl Kept {
    /// A new one.
    pub fn new() -> io::Result<Self> {
        let folder = own_folder()?;
        let keeper = Running::start(Path::new("/bin/sleep"), &["infinity".to_owned()], &folder)?;
        Ok(Self {
            folder,
            _keeper: keeper,
        })
    }
}

/// A new folder for a program; the shell that runs it removes it.
pub fn own_folder() -> io::Result<PathBuf> {
    let folder = tempfile::Builder::new().prefix("hyperstudy-test-").tempdir()?;
    Ok(folder.keep())
}

/// Ports on loopback that were free a moment ago.
pub fn free_ports<const N: usize>() -> io::Result<[u16; N]> {
    // All are held until all are known, so that no two are the same.
    let held = (0..N)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect::<io::Result<Vec<_>>>()?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&held) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}
