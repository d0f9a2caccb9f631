//! The date of a moment in UTC, without a crate for it.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Since 1970; a clock that stands before that is there at its beginning.
pub(super) fn since_1970(moment: SystemTime) -> Duration {
    moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Writes `[26/Nov/2026:12:29:23 +0000]`.
pub(super) fn write(line: &mut String, since_1970: Duration) {
    let seconds = since_1970.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let month = usize::try_from(month).ok().and_then(|month| MONTHS.get(month - 1)).unwrap_or(&"-");
    // A String takes all that is written.
    let _ = write!(line, "[{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000]");
}

/// Year, month and day of the Gregorian calendar, from days since 1970: the years begin in March, so that a leap day
/// is the last of its year, and are counted in eras of 400, which are all of the same length.
fn civil(days: u64) -> (u64, u64, u64) {
    // From 1970-01-01 back to 0000-03-01.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(seconds: u64) -> String {
        let mut line = String::new();
        write(&mut line, Duration::from_secs(seconds));
        line
    }

    #[test]
    fn a_moment_has_its_date() {
        assert_eq!(date(0), "[01/Jan/1970:00:00:00 +0000]");
        assert_eq!(date(951_782_399), "[28/Feb/2000:23:59:59 +0000]");
        assert_eq!(date(951_782_400), "[29/Feb/2000:00:00:00 +0000]");
        assert_eq!(date(971_186_136), "[10/Oct/2000:13:55:36 +0000]");
        assert_eq!(date(1_795_696_163), "[26/Nov/2026:12:29:23 +0000]");
        assert_eq!(date(4_107_542_399), "[28/Feb/2100:23:59:59 +0000]");
        assert_eq!(date(4_107_542_400), "[01/Mar/2100:00:00:00 +0000]");
        assert_eq!(since_1970(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), Duration::ZERO);
    }

    /// Counted day by day by the rule of leap years alone.
    #[test]
    fn every_day_of_six_centuries_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..220_000 {
            assert_eq!(civil(days), (year, month, day));
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u64::from(is_leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (day, month) = if day < length { (day + 1, month) } else { (1, month + 1) };
            (month, year) = if month <= 12 { (month, year) } else { (1, year + 1) };
        }
    }
}
