//! `hyperstudy validate`: everything that is wrong with a study, or what it will do first.

use std::{fmt::Write, path::Path};

use comfy_table::{ContentArrangement, Table, presets};

use super::{
    history::Places,
    load::{self, Choice, Loaded},
    wording,
};
use crate::{
    api::{FieldErrors, Origin},
    sampler::{Context, Observation, Outcome, Suggestion},
    space::Config,
    study::{Earlier, Request, Study},
};

/// How many configurations are shown.
const SHOWN: usize = 5;

/// Where the sampler finds nothing to begin with.
const NOTHING_PROPOSED: &str = "spec.constraints: they hold for so few configurations that the sampler finds none: loosen one, narrow the parameters to \
     where they hold, or give the configurations with the sampler `list`";

/// Checks the study's file at `path` and, where one is given, what its trials are to run. Gives a summary for people. What it starts from is looked
/// for on this machine, in the data folder `data` where it is in S3.
///
/// # Errors
/// Everything that is wrong, one line each.
pub fn validate(path: &Path, choice: &Choice, data: &Path) -> Result<String, Vec<String>> {
    let mut notes = Vec::new();
    let (loaded, study) = if matches!(choice, Choice::None) {
        load::check_study(path)?
    } else {
        let checked = load::check(path, choice)?;
        notes.extend(checked.program.warnings().iter().map(|w| format!("warning: {w}")));
        (checked.loaded, checked.study)
    };
    let (earlier, history) = match Places::new(data, path).gather(&study) {
        Ok(earlier) => {
            let note = format!("history: {}", earlier.note);
            (earlier, note)
        }
        Err(error) => (Earlier::default(), format!("history: not read here: {error}")),
    };
    notes.extend((!study.history.is_empty()).then_some(history));
    summary(&loaded, &study, &earlier, &notes)
}

/// What there is to say of a study that starts from `earlier`, `notes` among it.
///
/// # Errors
/// What only shows when it is tried, one line each: requests outside of its space, a sampler that finds nothing to propose.
pub fn summary(loaded: &Loaded, study: &Study, earlier: &Earlier, notes: &[String]) -> Result<String, Vec<String>> {
    let first = first(study, earlier);
    let mut wrong: Vec<String> = loaded.requests.iter().flat_map(|r| outside(study, r)).collect();
    if first.is_empty() {
        wrong.push(NOTHING_PROPOSED.to_owned());
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut text = format!("{} is valid: {}\n", study.name, extent(study));
    for note in notes {
        let _ = writeln!(text, "{note}");
    }
    if study.spec.algorithm.seed.is_none() {
        text.push_str(
            "The first configurations, with some seed; every new study has others unless spec.algorithm.seed is set:\n",
        );
    } else {
        text.push_str("The first configurations:\n");
    }
    let _ = writeln!(text, "{}", table(study, &first));
    Ok(text)
}

/// Why a request would be rejected.
fn outside(study: &Study, request: &Request) -> Vec<String> {
    let mut wrong = FieldErrors::default();
    if let Err(errors) = study.space.read(&request.parameters) {
        wrong.extend_below(&format!("request {}: spec.parameters", request.request.name), errors);
    }
    load::lines(&wrong)
}

/// How much the study is, in a few words.
fn extent(study: &Study) -> String {
    let searched = study.spec.parameters.iter().filter(|p| p.constant.is_none()).count();
    let mut text = format!(
        "{searched} {} to search",
        if searched == 1 { "parameter" } else { "parameters" }
    );
    match study.space.cardinality() {
        Some(count) if count <= 1_000_000 => {
            let _ = write!(text, ", at most {count} configurations");
        }
        _ => {}
    }
    let budget = &study.spec.budget;
    if let Some(trials) = budget.trials {
        let _ = write!(text, ", a budget of {trials} trials");
    }
    if let Some(duration) = budget.duration {
        let _ = write!(text, ", for at most {duration}");
    }
    let _ = write!(text, ", {} at a time", study.spec.parallelism);
    text
}

/// What the sampler proposes first, as long as no trial has finished.
fn first(study: &Study, earlier: &Earlier) -> Vec<(Config, Origin)> {
    let mut made: Vec<(Config, Origin)> = Vec::new();
    let most = study.spec.budget.trials.map_or(SHOWN, |most| SHOWN.min(most as usize));
    while made.len() < most {
        let history: Vec<Observation<'_>> = earlier
            .observations(study)
            .chain((1..).zip(&made).map(observation))
            .collect();
        let context = Context {
            space: &study.space,
            seed: study.seed,
            duplicates: study.spec.algorithm.duplicates,
            parallelism: study.spec.parallelism,
            budget: study.spec.budget.trials,
            number: u32::try_from(made.len()).unwrap_or(u32::MAX).saturating_add(1),
        };
        let Suggestion::New { config, origin } = study.sampler.suggest(&context, &history) else {
            break;
        };
        made.push((config, origin));
    }
    made
}

fn observation<'a>((number, (config, origin)): (u32, &'a (Config, Origin))) -> Observation<'a> {
    let outcome = Outcome::Pending;
    Observation {
        number,
        config,
        origin,
        outcome,
    }
}

fn table(study: &Study, made: &[(Config, Origin)]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["trial", "from", "configuration"]);
    for (number, (config, origin)) in (1_usize..).zip(made) {
        let from = origin.sampler.clone().unwrap_or_default();
        table.add_row([
            number.to_string(),
            from,
            wording::parameters(&study.space.write(config)),
        ]);
    }
    table
}
