//! `abslrp evaluate`

use std::{fmt::Write, ops::ControlFlow, path::PathBuf};

use abslrp::{
    Options,
    evaluate::{By, Replace, Report as Found, Request, evaluate},
    onnx::{Model, Transaction, shown::Shown},
    rules::{Choice, Composite},
    verify::{
        runtime::Locate,
        session::{Device, Runner, Source},
    },
};
use plotters::prelude::*;

use super::{Failure, Report, data, feed::image::Preparation, progress_in, verify::Runtime};

/// Measures which rule is faithful for a model on data of yours
///
/// Pixel flipping: regions are replaced in as many steps as --steps says, those of most relevance first (MoRF) or of
/// least (LeRF). The score is the probability of the explained class, the curve its mean over the samples, the area
/// that under the curve by trapezoids over the share of replaced regions, and the gap the area of LeRF less that of
/// MoRF: 0 for random maps, the larger the better.
#[derive(clap::Args)]
#[allow(clippy::struct_excessive_bools)] // flags of a command line
pub struct Args {
    /// The model, not yet explained
    model: PathBuf,
    /// A folder of pictures (in folders 0, 1, … by class, if labels are known), .npy with samples along axis 0, .npz
    /// with arrays by the names of inputs, `labels` and `masks` (where the object is), or .csv with a line of names
    data: PathBuf,
    /// A rule to compare; may be repeated [default: abslrp, abslrp-notebook, gamma, zplus]
    #[arg(long)]
    rule: Vec<Choice>,
    /// A composite to compare; may be repeated
    #[arg(long, value_name = "NAME")]
    composite: Vec<Composite>,
    /// The tensor to explain [default: the first graph output, before a final softmax or sigmoid]
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// Subtract what the other classes get
    #[arg(long)]
    contrastive: bool,
    /// Explain the labels, not the predicted classes
    #[arg(long)]
    by_label: bool,
    /// What is replaced together [default: patches of images, features of anything else]
    #[arg(long, value_enum)]
    by: Option<By>,
    /// The size of a patch in pixels [default: a sixteenth of the shorter side]
    #[arg(long, value_name = "N", value_parser = positive)]
    patch: Option<usize>,
    /// What regions are replaced by: mean, zero, blur, or a number such as the id of a mask token [default: mean]
    #[arg(long, value_name = "WHAT", allow_negative_numbers = true)]
    replace: Option<Replace>,
    /// In how many steps all regions are replaced
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = positive)]
    steps: usize,
    /// Leave out Global Attribution Evaluation, which is measured on four images or more
    #[arg(long)]
    no_gae: bool,
    /// The column of a table that has the labels [default: label, if there is one]
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,
    /// How many samples run at once, where the model leaves it open
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = positive)]
    batch: usize,
    /// Where random maps and mosaics come from
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Draw the curves: an SVG file
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    preparation: Preparation,
    /// Where to run
    #[arg(long, value_enum, default_value_t)]
    device: Device,
    #[command(flatten)]
    runtime: Runtime,
    /// Write the report as JSON
    #[arg(long)]
    json: bool,
}

/// A number from 1 to a limit that nobody who means it reaches.
fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=65_536).contains(&n) => Ok(n),
        _ => Err("not a number from 1 to 65536".into()),
    }
}

impl Args {
    pub fn run(self) -> Result<Report, Failure> {
        let model = Model::open(&self.model)?;
        let mut transaction = Transaction::default();
        model.files().iter().chain([&self.data]).for_each(|path| transaction.protect(path));
        if let Some(plot) = &self.plot {
            transaction.check(plot)?;
        }
        let runtime = Locate::from(self.runtime);
        let inputs = Runner::new(&Source::File(&self.model), true, Device::Cpu, &runtime)?.inputs();
        let Some(input) = inputs.first() else {
            let what = "the model has no input that is a tensor".into();
            return Err(Failure::Image { path: self.model, what });
        };
        let image = self.preparation.axes(&input.shape);
        let label = self.label_column.as_deref();
        let data = data::read(&self.data, &model, input, image, &self.preparation, label)?;
        let default = ["abslrp", "abslrp-notebook", "gamma", "zplus"];
        let rules = if self.rule.is_empty() && self.composite.is_empty() {
            default.iter().filter_map(|name| name.parse().ok()).collect()
        } else {
            self.rule
        };
        let options = || Options {
            output: self.output.clone(),
            contrastive: self.contrastive,
            ..Options::default()
        };
        let rules = rules.into_iter().map(|rule| Options { rule, ..options() });
        let composites =
            self.composite.into_iter().map(|c| Options { composite: Some(c), ..options() });
        let methods =
            rules.chain(composites).map(|options| (options.rule_text(), options)).collect();
        let samples = data.inputs.first().and_then(|(_, array)| array.shape().first().copied());
        let request = Request {
            methods,
            by: self.by,
            patch: self.patch,
            replace: self.replace,
            steps: self.steps,
            by_label: self.by_label,
            gae: !self.no_gae && image.is_some() && samples.is_some_and(|n| n >= 4),
            batch: self.batch,
            image,
            seed: self.seed,
            device: self.device,
            runtime,
        };
        let bar = progress_in("evaluating", "{msg} {bar:30} {pos}/{len} ({eta})");
        let progress = |done, total| {
            bar(done, total);
            ControlFlow::Continue(())
        };
        let found = evaluate(&model, &data, &request, &progress).map_err(|source| {
            Failure::Evaluate { path: self.data.clone(), source: Box::new(source) }
        })?;
        let mut text = text(&found);
        if let Some(plot) = &self.plot {
            let drawn = draw(&found).map_err(|what| Failure::Image { path: plot.clone(), what })?;
            let written =
                std::io::Write::write_all(&mut transaction.create(plot)?, drawn.as_bytes());
            written.map_err(|e| Failure::Image { path: plot.clone(), what: e.to_string() })?;
            transaction.commit()?;
            let _ = writeln!(text, "{}: the curves", plot.display());
        }
        Ok(Report { text, json: serde_json::json!(found), as_json: self.json, holds: true })
    }
}

/// The table.
fn text(found: &Found) -> String {
    let mut text = String::new();
    let by = format!("{:?}", found.by).to_lowercase();
    let accuracy = found
        .accuracy
        .map_or(String::new(), |a| format!(", {:.1} % of them predicted right", 100.0 * a));
    let _ = writeln!(
        text,
        "{}: {} samples{accuracy}; {} {by} replaced by {}",
        Shown(&found.input),
        found.samples,
        found.regions,
        found.replace
    );
    let _ = write!(text, "{:<24} {:>16} {:>7} {:>7}", "method", "gap", "MoRF", "LeRF");
    let (localised, gae) = (
        found.methods.iter().any(|m| m.localisation.is_some()),
        found.methods.iter().any(|m| m.gae.is_some()),
    );
    if localised {
        let _ = write!(text, " {:>7} {:>7}", "mass", "rank");
    }
    if gae {
        let _ = write!(text, " {:>7} {:>7} {:>7}", "local", "contr.", "GAE");
    }
    text.push('\n');
    for method in &found.methods {
        let [morf, lerf] = method.areas;
        let gap = format!("{:.3} ± {:.3}", method.gap, method.gap_error);
        let _ = write!(text, "{:<24} {gap:>16} {morf:>7.3} {lerf:>7.3}", method.method);
        if let Some(found) = method.localisation {
            let _ = write!(text, " {:>7.3} {:>7.3}", found.mass, found.rank);
        }
        if let Some(g) = method.gae {
            let _ = write!(
                text,
                " {:>7.3} {:>7.3} {:>7.3}",
                g.local_consistency, g.contrastiveness, g.gae
            );
        }
        text.push('\n');
    }
    text
}

/// The curves of all methods: MoRF on the left, LeRF on the right.
fn draw(found: &Found) -> Result<String, String> {
    let mut svg = String::new();
    let failed = |e: &dyn std::fmt::Display| e.to_string();
    {
        let root = SVGBackend::with_string(&mut svg, (960, 420)).into_drawing_area();
        root.fill(&WHITE).map_err(|e| failed(&e))?;
        let sides = root.split_evenly((1, 2));
        for (area, lerf) in sides.iter().zip([false, true]) {
            let caption = if lerf { "least relevant first" } else { "most relevant first" };
            let mut chart = ChartBuilder::on(area)
                .caption(caption, ("sans-serif", 16))
                .margin(10)
                .x_label_area_size(36)
                .y_label_area_size(44)
                .build_cartesian_2d(0.0..1.0, 0.0..1.0)
                .map_err(|e| failed(&e))?;
            let mut mesh = chart.configure_mesh();
            mesh.x_desc("share of regions replaced").y_desc("probability");
            mesh.draw().map_err(|e| failed(&e))?;
            for (index, method) in found.methods.iter().enumerate() {
                let curve = if lerf { &method.lerf } else { &method.morf };
                let points = found.shares.iter().copied().zip(curve.iter().copied());
                let style = Palette99::pick(index).stroke_width(2);
                let series = chart.draw_series(LineSeries::new(points, style));
                series
                    .map_err(|e| failed(&e))?
                    .label(format!("{} ({:.3})", method.method, method.gap))
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
            }
            if !lerf {
                let mut labels = chart.configure_series_labels();
                labels.background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.3));
                labels.position(SeriesLabelPosition::UpperRight);
                labels.draw().map_err(|e| failed(&e))?;
            }
        }
        root.present().map_err(|e| failed(&e))?;
    }
    Ok(svg)
}
