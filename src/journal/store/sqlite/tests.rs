//! The journal in a file.
