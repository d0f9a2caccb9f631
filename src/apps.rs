//! Endpoints: applications that are ready made, and those that pick another one.
