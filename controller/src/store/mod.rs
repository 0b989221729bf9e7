//! DynamoDB behind [`crate::ports::Sessions`], [`crate::ports::Workers`] and [`crate::ports::Shared`].

mod item;
mod open;
mod sessions;
mod shared;
mod workers;

pub use sessions::SessionsTable;
pub use workers::WorkersTable;
