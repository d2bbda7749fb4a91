//! The absolute paths of a container's artifacts, moved below a folder of the trial's own.

use std::path::{Component, Path, PathBuf};

/// The folder in the scratch folder that stands for the container's `/`.
const ROOT: &str = "root";

/// Where a container's paths lie on this machine.
#[derive(Debug)]
pub(super) struct Paths {
    /// The folder that stands for `/`.
    root: String,
    /// The container's paths that are moved, each absolute and without a slash at its end.
    moved: Vec<String>,
}

impl Paths {
    /// Nothing moved yet; `scratch` is the trial's own folder.
    ///
    /// # Errors
    /// It is not UTF-8, so that it cannot be written into a command.
    pub fn new(scratch: &Path) -> Result<Self, String> {
        let root = scratch.join(ROOT);
        let root = root
            .to_str()
            .ok_or_else(|| format!("{} is not UTF-8: choose another folder", scratch.display()))?;
        Ok(Self {
            root: root.to_owned(),
            moved: Vec::new(),
        })
    }

    /// Moves `path` and everything below it, and gives where to.
    ///
    /// # Errors
    /// It is not absolute, or leads elsewhere.
    pub fn add(&mut self, path: &str) -> Result<PathBuf, String> {
        let trimmed = path.trim_end_matches('/');
        let mut parts = Path::new(trimmed).components();
        if trimmed.is_empty() || parts.next() != Some(Component::RootDir) {
            return Err(format!(
                "`{path}` cannot be used: it has to be an absolute path of a file or folder"
            ));
        }
        if !parts.all(|part| matches!(part, Component::Normal(_))) || trimmed.contains("//") || trimmed.contains('\0') {
            return Err(format!("`{path}` cannot be used: write it without `..` and `//`"));
        }
        if !self.moved.iter().any(|moved| moved == trimmed) {
            self.moved.push(trimmed.to_owned());
        }
        Ok(PathBuf::from(format!("{}{trimmed}", self.root)))
    }

    /// Where `path` lies, if it is a moved one or below one.
    pub fn place(&self, path: &str) -> Option<PathBuf> {
        let is_below = |moved: &String| Path::new(path).starts_with(moved);
        let is_plain = !Path::new(path).components().any(|part| part == Component::ParentDir);
        (is_plain && self.moved.iter().any(is_below)).then(|| PathBuf::from(format!("{}{path}", self.root)))
    }

    /// `text` with the moved paths in it, as whole paths or the start of longer ones, where they lie now. What is
    /// put in is not looked at again.
    pub fn rewrite(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        while let Some(slash) = text[at..].find('/').map(|n| at + n) {
            out.push_str(&text[at..slash]);
            let longest = self
                .moved
                .iter()
                .filter(|moved| text[slash..].starts_with(moved.as_str()))
                .filter(|moved| ends_here(&text[slash + moved.len()..]))
                .max_by_key(|moved| moved.len());
            match longest {
                Some(moved) if starts_here(&text[..slash]) => {
                    out.push_str(&self.root);
                    out.push_str(moved);
                    at = slash + moved.len();
                }
                _ => {
                    out.push('/');
                    at = slash + 1;
                }
            }
        }
        out.push_str(&text[at..]);
        out
    }
}

/// Whether a path may start after `before`: not in the middle of a longer one (`/mnt/tmp/out`, `$HOME/tmp/out`), but after `file://`.
fn starts_here(before: &str) -> bool {
    if before.ends_with("file://") {
        return true;
    }
    !before
        .chars()
        .next_back()
        .is_some_and(|c| c.is_alphanumeric() || "/_.-~@%+})*?$".contains(c))
}

/// Whether a path's part ends before `after`: not where its name goes on (`/tmp/output`, `/tmp/out.txt`, `/tmp/out$i`).
fn ends_here(after: &str) -> bool {
    after
        .chars()
        .next()
        .is_none_or(|c| c.is_whitespace() || "/'\"`;:,()[]}|&<>=\\#!".contains(c))
}
