//! Any bytes as a metrics file: never a panic, and what comes out is what is promised.

use std::{io::Write, sync::LazyLock};

use hyperstudy::{
    api::{self, Goal, Reduce},
    metrics::{MetricsError, Objective, Reading},
};

static OBJECTIVES: LazyLock<Vec<Objective>> = LazyLock::new(|| {
    let metric = api::Objective {
        metric: Some("mse".to_owned()),
        value: None,
        goal: Goal::Minimize,
        reduce: Reduce::Last,
        target: Some(0.5),
    };
    let best = api::Objective {
        goal: Goal::Maximize,
        reduce: Reduce::Best,
        ..metric.clone()
    };
    let value = api::Objective {
        metric: None,
        value: Some("has(metrics.b) ? metrics.mse / metrics.b : metrics.mse * 2.0".to_owned()),
        ..best
    };
    [metric, best, value]
        .iter()
        .map(|spec| Objective::compile(spec).expect("a good objective"))
        .collect()
});

pub fn check(bytes: &[u8]) {
    for objective in OBJECTIVES.iter() {
        let read = objective.read(bytes);
        promised(&read);
        promised(&objective.read_unfinished(bytes));
        // Packing changes nothing, other than what packing a second time would.
        if !bytes.starts_with(&[0x1f, 0x8b]) && !bytes.starts_with(b"PK") && bytes.get(257..262) != Some(b"ustar") {
            let mut gzip = Vec::from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
            stored(bytes, &mut gzip);
            assert_eq!(format!("{read:?}"), format!("{:?}", objective.read(&gzip)));
        }
    }
}

fn promised(read: &Result<Reading, MetricsError>) {
    match read {
        Ok(reading) => {
            assert!(reading.objective.is_finite() && reading.iteration.is_finite());
            assert!(reading.metrics.len() <= 64 && reading.metrics.values().all(|number| number.is_finite()));
            assert!(reading.reports.len() != 1);
        }
        Err(error) => {
            assert!(!error.reason().is_empty());
            let message = error.to_string();
            assert!(message.len() < 4000 && !message.contains('\n'), "{message}");
        }
    }
}

/// `bytes` as the rest of a gzip file: deflate's stored blocks, and the sum.
fn stored(bytes: &[u8], gzip: &mut Vec<u8>) {
    let mut blocks = bytes.chunks(0xffff).peekable();
    if blocks.peek().is_none() {
        gzip.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or_default();
        gzip.push(u8::from(blocks.peek().is_none()));
        gzip.extend(length.to_le_bytes());
        gzip.extend((!length).to_le_bytes());
        gzip.write_all(block).expect("memory takes it");
    }
    gzip.extend(crc(bytes).to_le_bytes());
    gzip.extend(u32::try_from(bytes.len()).unwrap_or_default().to_le_bytes());
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}
