//! An S3 server inside the program, over a folder on disk: what `hyperstudy run` has in place of the cluster's S3.
//!
//! Bucket `b` is the folder `DIR/b`, an object is a file. What a process writes into the folder is an object at once, and
//! what is written through S3 is a plain file: nothing else is left beside the buckets.

mod disk;
mod folder;
mod listing;
mod service;

use std::{
    fs::{self, File},
    io::{self, Read},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
};
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

pub use disk::is_full;

use crate::storage::{Endpoint, Location, Object, StorageError};

/// The region that the server claims to be in.
const REGION: &str = "us-east-1";
/// The folder, beside the buckets, for what is still being written.
const SCRATCH: &str = ".s3";
/// How long requests under way may take when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// A running server. It stops when dropped; [`Server::stop`] also waits for it.
#[derive(Debug)]
pub struct Server {
    root: PathBuf,
    endpoint: Endpoint,
    full: folder::Full,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

/// The folder of a bucket below `root`, which may not be there yet.
///
/// # Errors
/// Where something that is no folder, such as a link, stands in its place.
pub fn bucket_at(root: &Path, bucket: &str) -> io::Result<PathBuf> {
    let path = root.join(bucket);
    match fs::symlink_metadata(&path) {
        Ok(found) if !found.is_dir() => Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            format!(
                "{} has to be a folder, and no link to one, for it is the bucket `{bucket}`",
                path.display()
            ),
        )),
        _ => Ok(path),
    }
}

impl Server {
    /// Starts a server over `dir`, which is made where it is not there, on a free port of 127.0.0.1 with new random credentials.
    /// Only one server may have a folder at a time.
    ///
    /// # Errors
    /// What the system refuses.
    pub async fn start(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let root = dir.canonicalize()?;
        // What a killed server was writing is of no use.
        remove_if_there(&root.join(SCRATCH))?;
        let (access_key, secret_key) = (random_hex(10)?, random_hex(20)?);
        let folder = folder::Folder::new(&root, SCRATCH)?;
        let full = folder.full();
        let mut service = S3ServiceBuilder::new(folder);
        service.set_auth(SimpleAuth::from_single(access_key.clone(), secret_key.clone()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let endpoint = Endpoint {
            url: format!("http://{}", listener.local_addr()?),
            region: REGION.to_owned(),
            access_key,
            secret_key,
            ..Endpoint::default()
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listener, service.build(), stopped));
        Ok(Self {
            root,
            endpoint,
            full,
            stop: Some(stop),
            task: Some(task),
        })
    }

    /// Where it is, and the credentials it takes.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What the system said where the last object that was written found no room.
    pub fn full(&self) -> Option<String> {
        folder::lock(&self.full).clone()
    }

    /// The file or folder of a location. What is there may be used directly; the path itself never leads out of the server's
    /// folder by its name.
    ///
    /// # Errors
    /// Where something that is no folder, such as a link, stands in the bucket's place.
    pub fn path_of(&self, location: &Location) -> io::Result<PathBuf> {
        let bucket = bucket_at(&self.root, location.bucket())?;
        match location.key() {
            "" => Ok(bucket),
            // A location has no part that leads elsewhere.
            key => Ok(bucket.join(key)),
        }
    }

    /// What a client would get of an object of at most `max` bytes: straight from the disk, which takes a fraction of a request's
    /// time. `None` where there is none.
    ///
    /// # Errors
    /// [`StorageError::TooLarge`]; what the disk refuses.
    pub fn read(&self, location: &Location, max: usize) -> Result<Option<Object>, StorageError> {
        let local = |source| StorageError::Local {
            path: self.root.join(location.bucket()).join(location.key()),
            source,
        };
        let path = self.path_of(location).map_err(local)?;
        match disk::read(&path, max).map_err(local)? {
            Some(object) if object.bytes.len() > max => Err(StorageError::TooLarge {
                at: location.to_string(),
                max,
            }),
            found => Ok(found),
        }
    }

    /// Makes way for a folder at a location: removes what stands there and is none, such as a link. What a link leads to stays.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn make_way(&self, location: &Location) -> io::Result<()> {
        disk::make_way(&self.path_of(location)?)
    }

    /// Removes the empty folders below and at a location, which S3 does not know, and leaves every file.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn prune(&self, location: &Location) -> io::Result<()> {
        let path = self.path_of(location)?;
        disk::prune(&path, !location.key().is_empty()).map(|_| ())
    }

    /// Removes a folder with everything in it, also what S3 cannot name: to be used after [`crate::storage::Store::delete_folder`].
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn remove_folder(&self, location: &Location) -> io::Result<()> {
        if location.key().is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{location} is a whole bucket, which is never removed"),
            ));
        }
        disk::remove(&self.path_of(location)?)
    }

    /// Ends the server once the requests under way are done, and leaves nothing but the buckets.
    ///
    /// # Errors
    /// What the disk refuses.
    pub async fn stop(mut self) -> io::Result<()> {
        self.stop.take();
        if let Some(task) = self.task.take() {
            task.await.map_err(io::Error::other)?;
        }
        remove_if_there(&self.root.join(SCRATCH))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The sender's end tells the server to stop.
        self.stop.take();
        let _ = remove_if_there(&self.root.join(SCRATCH));
    }
}

/// Serves until the other end of `stop` is gone.
async fn serve(listener: TcpListener, service: S3Service, mut stop: oneshot::Receiver<()>) {
    let mut http = auto::Builder::new(TokioExecutor::new()).http1_only();
    http.http1().keep_alive(true);
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stop => break,
        };
        let Ok((socket, _)) = accepted else {
            // Out of file handles, most likely: they come back.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let _ = socket.set_nodelay(true);
        let connection = http
            .serve_connection(TokioIo::new(socket), service.clone())
            .into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away is no error of ours.
            let _ = connection.await;
        });
    }
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

fn remove_if_there(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// That many random bytes in hexadecimal.
fn random_hex(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests;
