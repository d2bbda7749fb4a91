//! From a command line to a study that runs: reads, checks, opens the ledger, and clears up after a run that was killed.

use std::{fs, io::Read, path::PathBuf};

use jiff::Timestamp;
use serde_json::json;

use super::{
    entry::{Entry, StudyEntry},
    environment::{Environment, S3},
    error::RunError,
    history::Places,
    layout::Layout,
    ledger::Ledger,
    load::{self, Checked, Choice, Loaded},
    orphans,
    process::INTERRUPTED,
    runner::{Attempts, Runner},
    s3::{Server, bucket_at},
    view::View,
};
use crate::{
    api::{FieldErrors, StudySpec, StudyStatus, WorkflowTemplateRef, check},
    space::Space,
    storage::{Location, Store, plain_http},
    study::{self, Failure, RunState, Snapshot},
};

/// What to run, and where.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The study's file.
    pub study: PathBuf,
    /// The file of the WorkflowTemplate that trials run.
    pub template: Option<PathBuf>,
    /// The command that trials run instead.
    pub exec: Option<String>,
    /// The data folder: bucket `b` is the folder `b` in it.
    pub data: PathBuf,
}

/// Runs a study on this machine to its end, or goes on with it. Gives the exit status.
///
/// # Errors
/// What was asked for cannot be done, or a run cannot go on.
pub async fn run(options: RunOptions) -> Result<u8, RunError> {
    let refuse = |lines: Vec<String>| RunError::BadRequest(lines.join("\n"));
    let choice = match (options.exec, options.template) {
        (Some(command), _) => Choice::Exec(command),
        (None, Some(file)) => Choice::Template(file),
        (None, None) => Choice::None,
    };
    let Checked {
        loaded,
        study: fresh,
        program,
    } = load::check(&options.study, &choice).map_err(refuse)?;
    let folder: Location = fresh
        .folder()
        .parse()
        .map_err(|e| refuse(vec![format!("spec.storage.outputPath: {e}")]))?;

    let layout = Layout::new(&options.data, &loaded.name)?;
    bucket_at(&layout.data, folder.bucket()).map_err(|e| refuse(vec![e.to_string()]))?;
    let sources = Places::new(&layout.data, &options.study);
    if !layout.journal().exists() {
        // Said before anything is begun; what counts is read once the folder is the study's own.
        sources.gather(&fresh).map_err(|e| refuse(vec![e.to_string()]))?;
    }
    let (was_there, had_journal) = (layout.state().exists(), layout.journal().exists());
    let _lock = layout.prepare()?;
    let mut ledger = Ledger::open(&layout.journal(), &fresh.space)?;
    let is_new = ledger.study().is_none();
    let entry = admit(&mut ledger, &loaded, &fresh.space)?;
    let study = loaded
        .compile(&entry.uid, entry.generation, entry.created)
        .map_err(|e| refuse(load::lines(&e)))?;
    if !is_new {
        clear_up(&mut ledger, &layout, &layout.mark(&entry.uid)?)?;
    }
    ledger.offer(loaded.requests);

    let fault = |what: &str, error: std::io::Error| RunError::Fault(format!("{what}: {error}"));
    let server = Server::start(&layout.data)
        .await
        .map_err(|e| fault("cannot start the S3 server", e))?;
    let endpoint = server.endpoint();
    let s3 = S3 {
        url: &endpoint.url,
        region: &endpoint.region,
        access_key: &endpoint.access_key,
        secret_key: &endpoint.secret_key,
    };
    let environment = Environment::new(&s3, std::env::vars_os(), layout.mark(&entry.uid)?);
    let store = Store::new(endpoint, plain_http());
    let attempts = Attempts::new().map_err(|e| fault("cannot listen for signals", e))?;
    let mut view = View::new(&study, &ledger.snapshot().status);
    for warning in program.warnings() {
        view.insist(&format!("note: {warning}"));
    }
    let finished = ledger.snapshot().trials.iter().filter(|t| t.is_finished()).count();
    if !is_new {
        view.insist(&format!(
            "Going on with the study `{}`: {finished} of its trials are finished.",
            study.name
        ));
    }
    let (state, journal) = (layout.state(), layout.journal());
    let runner = Runner {
        study,
        program,
        ledger,
        layout,
        server,
        store,
        folder,
        environment,
        view,
        attempts,
        sources,
    };
    let result = runner.run().await;
    if is_new && matches!(result, Err(RunError::BadRequest(_))) {
        // Its folder is somebody else's: nothing was begun, nothing of this run is left behind, and all that was there before.
        let _ = match (was_there, had_journal) {
            (false, _) => fs::remove_dir_all(state),
            (true, false) => fs::remove_file(journal),
            (true, true) => Ok(()),
        };
    }
    result
}

/// The study as it is recorded from now on: new, as it was, or with what may be changed changed.
fn admit(ledger: &mut Ledger, loaded: &Loaded, space: &Space) -> Result<StudyEntry, RunError> {
    let entry = match ledger.study() {
        Some(old) if old.spec == loaded.spec => return Ok(old.clone()),
        Some(old) => {
            let wrong = may_become(old, loaded, ledger.snapshot());
            wrong
                .or_ok(())
                .map_err(|e| RunError::BadRequest(load::lines(&e).join("\n")))?;
            StudyEntry {
                generation: old.generation.saturating_add(1),
                spec: loaded.spec.clone(),
                ..old.clone()
            }
        }
        None => StudyEntry {
            uid: new_uid().map_err(|e| RunError::Fault(format!("cannot read /dev/urandom: {e}")))?,
            created: Timestamp::now(),
            generation: 1,
            spec: loaded.spec.clone(),
        },
    };
    ledger.record(Entry::Study(Box::new(entry.clone())), space)?;
    Ok(entry)
}

/// What speaks against going on with the study `old` as it now stands in its file.
fn may_become(old: &StudyEntry, new: &Loaded, snapshot: &Snapshot) -> FieldErrors {
    let object = |spec: &StudySpec, status: &StudyStatus| {
        let mut spec = spec.clone();
        // What only a cluster needs: with it, the rules of a cluster can be asked.
        spec.storage
            .output_path
            .get_or_insert_with(|| study::DEFAULT_OUTPUT_PATH.to_owned());
        spec.trial
            .workflow_template_ref
            .get_or_insert_with(|| WorkflowTemplateRef {
                name: "none".to_owned(),
                cluster_scope: false,
            });
        json!({
            "apiVersion": new.object.get("apiVersion"),
            "kind": new.object.get("kind"),
            "metadata": {"name": new.name, "namespace": new.namespace},
            "spec": spec,
            "status": status,
        })
    };
    let after = object(&new.spec, &snapshot.status);
    check::check_update(&object(&old.spec, &snapshot.status), &after)
}

/// A random UID, as Kubernetes writes them.
fn new_uid() -> std::io::Result<String> {
    let mut random = [0_u8; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    // RFC 9562, version 4.
    let bits = u128::from_be_bytes(random) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    Ok([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

/// Ends what an earlier run has left behind, and notes what it was in the middle of as interrupted.
fn clear_up(ledger: &mut Ledger, layout: &Layout, mark: &str) -> Result<(), RunError> {
    orphans::end_all(mark, None).map_err(|e| RunError::Fault(e.to_string()))?;
    let interrupted: Vec<(u32, u32)> = ledger.running().collect();
    for (number, attempt) in interrupted {
        ledger.set_run(
            number,
            attempt,
            RunState::Failed(Failure::Interrupted, INTERRUPTED.to_owned()),
        );
    }
    let scratches = layout.scratches();
    fs::remove_dir_all(&scratches)
        .and_then(|()| fs::create_dir_all(&scratches))
        .map_err(|e| RunError::Fault(format!("cannot clear {}: {e}", scratches.display())))
}
