//! The behaviour of the library, as its users and their visitors meet it.

mod examples;
