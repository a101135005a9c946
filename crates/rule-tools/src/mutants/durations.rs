//! Prometheus durations in days and shorter units, doubled and halved.

/// The double and the half of a duration such as `1h30m`. Each is in minutes if it is a whole number of minutes, otherwise in seconds if
/// it is a whole number of seconds, otherwise in milliseconds. Empty if the duration is zero, or if `text` is not a
/// duration or has weeks or years.
pub fn others(text: &str) -> Vec<String> {
    milliseconds(text).filter(|long| *long > 0).map_or_else(Vec::new, |long| vec![written(long * 2), written(long / 2)])
}

fn milliseconds(text: &str) -> Option<u64> {
    let mut sum = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        let long = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        sum += number.parse::<u64>().ok()? * long;
        rest = after;
    }
    Some(sum)
}

fn written(milliseconds: u64) -> String {
    let units = [("m", 60_000), ("s", 1000)];
    units
        .into_iter()
        .find(|(_, long)| milliseconds.is_multiple_of(*long))
        .map_or_else(|| format!("{milliseconds}ms"), |(unit, long)| format!("{}{unit}", milliseconds / long))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_doubled_and_halved() {
        assert_eq!(others("5m"), ["10m", "150s"]);
        assert_eq!(others("1h30m"), ["180m", "45m"]);
        assert_eq!(others("15s"), ["30s", "7500ms"]);
        assert!(others("0s").is_empty());
        assert!(others("five").is_empty());
    }
}
