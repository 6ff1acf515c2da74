//! The trigger `http:` with the recipes of `examples/recipes`, each against a fake of its manager, and
//! with recipes of which it can make nothing.

mod api;
mod cloud_hypervisor;
mod flights;
mod format;
mod format_arbitrary;
mod harvester;
mod harvester_fake;
mod incus;
mod kubevirt;
mod kubevirt_fake;
mod nova;
mod proxmox;
