//! From a study's `sampler` to the sampler.

use super::{
    Name, Sampler, Settings,
    chain::{Chain, Stage},
    defaults::Defaults,
    earlier::WithEarlier,
};
use crate::{
    api::{self, Algorithm, AutoSampler, ChainStage, Duplicates, FieldErrors, StageSampler, samplers},
    space::Space,
};

/// The sampler that `algorithm` describes, its settings checked against the space; `auto` where it describes none.
/// With `defaults` first where the space has them and the sampler (of a chain, the first one) is not `grid` or `list`.
///
/// # Errors
/// Everything that is wrong, paths below `sampler`.
pub fn compile(algorithm: &Algorithm, space: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
    let Algorithm {
        sampler: spec,
        duplicates,
        ..
    } = algorithm;
    let duplicates = *duplicates;
    let alone = StageSampler::from(spec);
    let (sampler, first) = match &spec.chain {
        None if alone == StageSampler::default() => {
            let auto = StageSampler {
                auto: Some(AutoSampler {}),
                ..alone
            };
            (single(&auto, None, space, duplicates), Some(auto))
        }
        None => (single(&alone, None, space, duplicates), Some(alone)),
        Some(_) if alone != StageSampler::default() => (Err(choose(&[NAMES, &["chain"]].concat())), None),
        Some(stages) => (
            chain(stages, space, duplicates),
            stages.first().map(|stage| stage.sampler.clone()),
        ),
    };
    let sampler = sampler.map_err(|wrong| {
        let mut errors = FieldErrors::default();
        errors.extend_below("sampler", wrong);
        errors
    })?;
    Ok(match (space.defaults(), first) {
        (Some(config), Some(first)) if first.grid.is_none() && first.list.is_none() => {
            Box::new(Defaults { config, then: sampler })
        }
        _ => sampler,
    })
}

/// `then`, which [`compile`] made of `spec`, for a study that starts from earlier ones: the best of those is run once more first, but where `spec`
/// (of a chain, its first stage) is `grid` or `list`.
pub fn with_earlier(spec: &api::Sampler, then: Box<dyn Sampler>) -> Box<dyn Sampler> {
    let first = spec.chain.as_deref().and_then(<[_]>::first).map(|stage| &stage.sampler);
    let names_all = match first {
        Some(first) => first.grid.is_some() || first.list.is_some(),
        None => spec.grid.is_some() || spec.list.is_some(),
    };
    Box::new(WithEarlier {
        repeats: !names_all,
        then,
    })
}

fn choose(names: &[&str]) -> FieldErrors {
    let mut errors = FieldErrors::default();
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    errors.push("", format!("choose exactly one of {}", names.join(", ")));
    errors
}

/// One of the table: its name, and what makes it.
type Chosen<'a> = (&'static str, &'a dyn Settings);

macro_rules! table {
    ($($(#[$attribute:meta])* $name:literal $field:ident: $settings:ty,)*) => {
        /// The names of all samplers that are no chain.
        const NAMES: &[&str] = &[$($name),*];

        /// Those that `spec` chooses.
        fn chosen(spec: &StageSampler) -> Vec<Chosen<'_>> {
            let mut chosen: Vec<Chosen<'_>> = Vec::new();
            $(chosen.extend(spec.$field.as_ref().map(|settings| -> Chosen<'_> { ($name, settings) }));)*
            chosen
        }
    };
}
samplers!(table);

/// One sampler that is no chain; `stage` is its place where it is part of one.
fn single(
    spec: &StageSampler,
    stage: Option<u32>,
    space: &Space,
    duplicates: Duplicates,
) -> Result<Box<dyn Sampler>, FieldErrors> {
    let [(sampler, settings)] = chosen(spec)[..] else {
        return Err(match stage {
            Some(_) => choose(NAMES),
            None => choose(&[NAMES, &["chain"]].concat()),
        });
    };
    let built = settings.build(Name { sampler, stage }, space);
    let mut errors = FieldErrors::default();
    errors.extend_below(sampler, settings.suits(duplicates).err().unwrap_or_default());
    match built {
        Ok(built) => errors.or_ok(built),
        Err(wrong) => {
            errors.extend_below(sampler, wrong);
            Err(errors)
        }
    }
}

fn chain(stages: &[ChainStage], space: &Space, duplicates: Duplicates) -> Result<Box<dyn Sampler>, FieldErrors> {
    let mut errors = FieldErrors::default();
    if stages.is_empty() {
        errors.push("chain", "is empty: give at least one stage");
    }
    let mut compiled = Vec::with_capacity(stages.len());
    for (i, ChainStage { sampler, trials }) in (0..).zip(stages) {
        let path = format!("chain[{i}]");
        let is_last = i as usize + 1 == stages.len();
        if *trials == Some(0) {
            errors.push(format!("{path}.trials"), "0 trials are none: leave the stage out");
        }
        // also in a finite space: they would use it up
        if !is_last && trials.is_none() && sampler.grid.is_none() && sampler.list.is_none() {
            errors.push(
                format!("{path}.trials"),
                "is missing: without it this sampler never hands over, and the stages after it never run",
            );
        }
        match single(sampler, Some(i), space, duplicates) {
            Ok(sampler) => compiled.push(Stage {
                sampler,
                trials: *trials,
            }),
            Err(wrong) => errors.extend_below(&format!("{path}.sampler"), wrong),
        }
    }
    errors.or_ok(Box::new(Chain(compiled)))
}
