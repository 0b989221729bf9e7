//! Draws the [`Screen`] without flicker: what is kept scrolls up, the live block is drawn anew below it, in one
//! synchronized update. Without a terminal only the kept lines are written.

use super::record::Recording;
use super::screen::Screen;
use crossterm::{cursor, queue, style::Print, terminal};
use schemas::ids::Timestamp;
use std::io::{self, IsTerminal, Write};

/// Where a rehearsal shows itself.
pub struct Terminal {
    out: Box<dyn Write>,
    live: bool,
    drawn: Vec<String>,
}

impl Terminal {
    /// Shows on stdout, or on stderr when stdout is for a machine.
    #[must_use]
    pub fn new(stdout_is_for_machines: bool) -> Self {
        if stdout_is_for_machines {
            Self { live: io::stderr().is_terminal(), out: Box::new(io::stderr()), drawn: Vec::new() }
        } else {
            Self { live: io::stdout().is_terminal(), out: Box::new(io::stdout()), drawn: Vec::new() }
        }
    }

    /// Columns.
    #[must_use]
    pub fn width(&self) -> u16 {
        if self.live { terminal::size().map_or(100, |(columns, _)| columns) } else { 100 }
    }

    /// Shows what is new.
    ///
    /// # Errors
    /// When the output is closed.
    pub fn draw(&mut self, screen: &mut Screen, recording: &Recording, now: Timestamp) -> io::Result<()> {
        let kept = screen.fetch_kept();
        if !self.live {
            for line in kept {
                writeln!(self.out, "{line}")?;
            }
            return self.out.flush();
        }
        let rows = terminal::size().map_or(24, |(_, rows)| usize::from(rows));
        let mut live = screen.live(recording, now);
        live.truncate(rows.saturating_sub(1));
        if kept.is_empty() && live == self.drawn {
            return Ok(());
        }
        queue!(self.out, terminal::BeginSynchronizedUpdate)?;
        self.erase()?;
        for line in kept.iter().chain(&live) {
            queue!(self.out, Print(line), Print("\r\n"))?;
        }
        queue!(self.out, terminal::EndSynchronizedUpdate)?;
        self.drawn = live;
        self.out.flush()
    }

    /// Takes the live block away; what was kept stays.
    ///
    /// # Errors
    /// When the output is closed.
    pub fn finish(&mut self) -> io::Result<()> {
        self.erase()?;
        self.drawn.clear();
        self.out.flush()
    }

    fn erase(&mut self) -> io::Result<()> {
        if let Ok(height @ 1..) = u16::try_from(self.drawn.len()) {
            queue!(self.out, cursor::MoveToPreviousLine(height), terminal::Clear(terminal::ClearType::FromCursorDown))?;
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // On Ctrl-C the live block must not stay; a closed output no longer matters.
        let _ = self.finish();
    }
}
