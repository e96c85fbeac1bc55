//! Cursors: how far a follower has read, as a set {lane: position}. Written `0:17,1:4`; a bare `17` means lane 0. A
//! position in the journal is the last sequence number that was read, one in the output the number of lines so far.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// How far a follower has read, per lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    lanes: BTreeMap<u16, u64>,
}

/// Most lanes in one cursor: a run of 100,000 targets has 200.
pub const CURSOR_LANES_MAX: usize = 1_000;

impl Cursor {
    /// From the beginning.
    pub fn start() -> Cursor {
        Cursor::default()
    }

    /// The last sequence number read in a lane; 0 = none.
    pub fn seq(&self, lane: u16) -> u64 {
        self.lanes.get(&lane).copied().unwrap_or(0)
    }

    /// The lanes with their positions.
    pub fn lanes(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        self.lanes.iter().map(|(lane, seq)| (*lane, *seq))
    }

    /// Notes that an entry was read; never goes back.
    pub fn saw(&mut self, lane: u16, seq: u64) {
        let at = self.lanes.entry(lane).or_insert(0);
        *at = (*at).max(seq);
    }
}

impl FromIterator<(u16, u64)> for Cursor {
    fn from_iter<T: IntoIterator<Item = (u16, u64)>>(lanes: T) -> Cursor {
        Cursor { lanes: lanes.into_iter().collect() }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lanes.is_empty() {
            return out.write_str("0:0");
        }
        for (index, (lane, seq)) in self.lanes.iter().enumerate() {
            if index > 0 {
                out.write_str(",")?;
            }
            write!(out, "{lane}:{seq}")?;
        }
        Ok(())
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Cursor, String> {
        let wrong = || format!("`{text}` is no cursor; one looks like `0:17`");
        let mut cursor = Cursor::start();
        for part in text.split(',') {
            if cursor.lanes.len() >= CURSOR_LANES_MAX {
                return Err(format!("a cursor names at most {CURSOR_LANES_MAX} lanes"));
            }
            let (lane, seq) = part.trim().split_once(':').unwrap_or(("0", part.trim()));
            cursor.saw(lane.parse().map_err(|_| wrong())?, seq.parse().map_err(|_| wrong())?);
        }
        Ok(cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let mut cursor = Cursor::start();
        assert_eq!(cursor.to_string(), "0:0");
        cursor.saw(0, 17);
        cursor.saw(2, 4);
        cursor.saw(0, 3);
        assert_eq!(cursor.to_string(), "0:17,2:4");
        assert_eq!("0:17,2:4".parse::<Cursor>().unwrap(), cursor);
        assert_eq!("9".parse::<Cursor>().unwrap().seq(0), 9);
        assert!("x:1".parse::<Cursor>().is_err());
        assert!("".parse::<Cursor>().is_err());
    }
}
