<<<<<<< HEAD
//! Hosts: what we do on the inside of a machine, and machines that we make on this computer.

pub mod local;
=======
//! Machines: reaching them over SSH, and machines of our own on this computer.

pub mod ssh;
>>>>>>> main
