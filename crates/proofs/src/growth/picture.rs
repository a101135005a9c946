//! docs/growth.svg: the CPU ratios of the table in docs/PERFORMANCE.md, as lines over the growth of the work. A rising line means that the
//! total cost grows faster than the work.

use std::fmt::Write as _;

use super::curve::Curve;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 50.0;
const TOP: f64 = 30.0;
const RIGHT: f64 = 500.0;
const BOTTOM: f64 = 310.0;
/// Colours that also differ in lightness, for colour-blind readers (palette of Okabe and Ito).
const COLOURS: [&str; 7] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#000000"];
/// Largest ratio shown, unless a curve exceeds it.
const TALLEST: f64 = 1.5;
/// Powers of ten on the axis of work.
const DECADES: u32 = 3;

/// Draws all curves of CPU time; those with the same name in the legend have the same colour.
pub fn draw(curves: &[Curve]) -> String {
    let curves: Vec<(&Curve, Vec<(f64, f64)>)> =
        curves.iter().filter(|curve| curve.what.starts_with("CPU")).map(|curve| (curve, points(curve))).collect();
    let highest = curves.iter().flat_map(|(_, points)| points).map(|(_, ratio)| *ratio).fold(TALLEST, f64::max);
    let place = |(growth, ratio): (f64, f64)| {
        let x = LEFT + growth.log10() / f64::from(DECADES) * (RIGHT - LEFT);
        (x, BOTTOM - ratio / highest * (BOTTOM - TOP))
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Cost of one unit of work at growing amounts of work</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"18\">cost of one unit ÷ cost at the smallest amount</text>\n"
    );
    // Writing to a String cannot fail.
    for decade in 0..=DECADES {
        let growth = 10_f64.powi(decade.cast_signed());
        let (x, _) = place((growth, 0.0));
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.0} {TOP}V{BOTTOM}\" stroke=\"#ddd\"/><text x=\"{x:.0}\" y=\"328\" text-anchor=\"middle\">× {growth}</text>"
        );
    }
    for ratio in [0.0, 0.5, 1.0] {
        let (_, y) = place((1.0, ratio));
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.0}H{RIGHT}\" stroke=\"#ddd\"/><text x=\"44\" y=\"{:.0}\" text-anchor=\"end\">{ratio:.1}</text>",
            y + 4.0
        );
    }
    let _ = writeln!(svg, "<text x=\"{RIGHT}\" y=\"348\" text-anchor=\"end\">amount of work</text>");
    for (number, group) in groups(&curves).into_iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        for (_, points) in curves.iter().filter(|(curve, _)| name(curve) == group) {
            let path: Vec<String> = points.iter().map(|point| place(*point)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>", path.join(" "));
            for point in points {
                let (x, y) = place(*point);
                let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
            }
        }
        let y = 50 + 24 * number;
        let _ =
            writeln!(svg, "<path d=\"M520 {}h20\" stroke=\"{colour}\" stroke-width=\"2\"/><text x=\"548\" y=\"{y}\">{group}</text>", y - 4);
    }
    svg.push_str("</svg>\n");
    svg
}

/// For each amount of work: the amount divided by the smallest amount, and the cost of one unit divided by that cost at the smallest
/// amount.
#[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^52 of anything")]
fn points(curve: &Curve) -> Vec<(f64, f64)> {
    let first = curve.amounts().next().unwrap_or(1) as f64;
    curve.ratios().into_iter().map(|(amount, ratio)| (amount as f64 / first, ratio)).collect()
}

/// The name of a curve in the legend; pages of one list share it.
fn name(curve: &Curve) -> String {
    let name = curve.what.trim_start_matches("CPU of ");
    ["first", "deep", "last"].iter().find_map(|position| name.strip_prefix(&format!("the {position} "))).unwrap_or(name).to_owned()
}

fn groups(curves: &[(&Curve, Vec<(f64, f64)>)]) -> Vec<String> {
    let mut names = Vec::new();
    for (curve, _) in curves {
        if !names.contains(&name(curve)) {
            names.push(name(curve));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_a_list_share_a_name_and_only_cpu_is_drawn() {
        let curves = ["CPU of the first page of a log", "CPU of the deep page of a log", "CPU of a job", "resident memory"].map(|what| {
            let mut curve = Curve::new(what, "rows", 1.2);
            curve.add(1_000, 1.0);
            curve.add(1_000_000, 3.0);
            curve
        });
        let svg = draw(&curves);
        assert_eq!((svg.matches("<polyline").count(), svg.matches("page of a log").count()), (3, 1), "{svg}");
        assert!(svg.contains("50.0,216.7 500.0,30.0"), "{svg}");
        assert!(!svg.contains("memory"));
    }
}
