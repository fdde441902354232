//! FastCGI: as a client of our own sees it, and behind the web servers that the guide has configurations for.

mod behind;
pub mod client;
mod deadlines;
mod direct;
pub mod fronts;
mod restarts;
