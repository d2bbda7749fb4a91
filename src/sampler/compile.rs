//! From a study's `sampler` to the sampler.

use super::{
    Name, Sampler,
    chain::{Chain, Stage},
    defaults::Defaults,
    grid::Grid,
    list::List,
    random::Random,
    sobol::Sobol,
};
use crate::{
    api::{self, ChainStage, FieldErrors, StageSampler},
    space::Space,
};

/// The sampler that `spec` describes, its settings checked against the space.
/// With `defaults` first where the space has them and the sampler (of a chain, the first one) is not `grid` or `list`.
///
/// # Errors
/// Everything that is wrong, paths below `sampler`.
pub fn compile(spec: &api::Sampler, space: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
    let api::Sampler {
        random,
        grid,
        sobol,
        list,
        chain,
    } = spec;
    let single = StageSampler {
        random: random.clone(),
        grid: grid.clone(),
        sobol: sobol.clone(),
        list: list.clone(),
    };
    let (sampler, first) = match chain {
        None => (self::single(&single, None, space), Some(&single)),
        Some(_) if single != StageSampler::default() => {
            (Err(choose("`random`, `grid`, `sobol`, `list`, `chain`")), None)
        }
        Some(stages) => (self::chain(stages, space), stages.first().map(|stage| &stage.sampler)),
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

fn choose(samplers: &str) -> FieldErrors {
    let mut errors = FieldErrors::default();
    errors.push("", format!("choose exactly one of {samplers}"));
    errors
}

/// One sampler that is no chain; `stage` is its place where it is part of one.
fn single(spec: &StageSampler, stage: Option<u32>, space: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
    let name = |sampler| Name { sampler, stage };
    let StageSampler {
        random,
        grid,
        sobol,
        list,
    } = spec;
    let below = |path: &'static str| {
        move |wrong: FieldErrors| {
            let mut errors = FieldErrors::default();
            errors.extend_below(path, wrong);
            errors
        }
    };
    Ok(match (random, grid, sobol, list) {
        (Some(_), None, None, None) => Box::new(Random(name("random"))),
        (None, Some(spec), None, None) => Box::new(Grid::new(name("grid"), spec, space).map_err(below("grid"))?),
        (None, None, Some(_), None) => Box::new(Sobol::new(name("sobol"), space).map_err(below("sobol"))?),
        (None, None, None, Some(list)) => Box::new(List::new(name("list"), list, space).map_err(below("list"))?),
        _ if stage.is_some() => return Err(choose("`random`, `grid`, `sobol`, `list`")),
        _ => return Err(choose("`random`, `grid`, `sobol`, `list`, `chain`")),
    })
}

fn chain(stages: &[ChainStage], space: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
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
        if !is_last && trials.is_none() && (sampler.random.is_some() || sampler.sobol.is_some()) {
            errors.push(
                format!("{path}.trials"),
                "is missing: without it this sampler never hands over, and the stages after it never run",
            );
        }
        match single(sampler, Some(i), space) {
            Ok(sampler) => compiled.push(Stage {
                sampler,
                trials: *trials,
            }),
            Err(wrong) => errors.extend_below(&format!("{path}.sampler"), wrong),
        }
    }
    errors.or_ok(Box::new(Chain(compiled)))
}
