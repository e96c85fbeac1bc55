//! Transcripts of the command line: commands in, output out.

mod transcripts;
