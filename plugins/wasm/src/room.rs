//! Room for instances: memories, tables and stacks that are set aside once and used again, which is what makes a fresh
//! instance cheap. A plugin reserves the room of all its instances when it is loaded, so that none is refused later.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use wasmtime::{Config, Enabled, Engine, PoolingAllocationConfig, component::Component};

use crate::{
    PluginError,
    limits::{IDLE_ROOM_MAX, KEPT_OCTETS_MAX, PARTS_MAX, ROOM, TABLE_ELEMENTS_MAX},
};

/// What is left of a process's room, in parts: an instance takes as many as its component has memories or tables.
#[derive(Debug)]
pub(crate) struct Room {
    left: AtomicUsize,
}

/// Room that is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    room: Arc<Room>,
    parts: usize,
}

impl Room {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(ROOM) })
    }

    /// Room for so many instances, each of so many parts.
    pub(crate) fn reserve(self: &Arc<Self>, instances: usize, parts: usize) -> Result<Reserved, PluginError> {
        let wanted = instances.saturating_mul(parts);
        let left = self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(wanted));
        match left {
            Ok(_) => Ok(Reserved { room: self.clone(), parts: wanted }),
            Err(left) => Err(PluginError::NoRoom { instances, left: left / parts.max(1) }),
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.room.left.fetch_add(self.parts, Relaxed);
    }
}

/// How many parts an instance of this component takes.
pub(crate) fn parts(component: &Component) -> usize {
    // None of a component that takes modules from outside, which nobody gives it.
    let parts = component.resources_required().map(|wanted| wanted.num_memories.max(wanted.num_tables));
    parts.map_or(PARTS_MAX, |parts| usize::try_from(parts).unwrap_or(usize::MAX)).max(1)
}

/// The runtime, with its room set aside. It is address space alone until it is used; where a process may not have that
/// much, each instance gets its own when it begins, which takes longer.
pub(crate) fn engine(config: &mut Config) -> wasmtime::Result<Engine> {
    config.allocation_strategy(set_aside()?);
    Engine::new(config).or_else(|_| {
        config.allocation_strategy(wasmtime::InstanceAllocationStrategy::OnDemand);
        Engine::new(config)
    })
}

fn set_aside() -> wasmtime::Result<PoolingAllocationConfig> {
    let (room, parts) = (u32::try_from(ROOM)?, u32::try_from(PARTS_MAX)?);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(room)
        // They have no place of their own: only their memories and tables have.
        .total_core_instances(u32::MAX)
        .total_memories(room)
        .total_tables(room)
        .total_stacks(room)
        .max_core_instances_per_component(parts)
        .max_memories_per_component(parts)
        .max_tables_per_component(parts)
        .table_elements(TABLE_ELEMENTS_MAX)
        // What was written to is cleared by ourselves up to here, which is cheaper than new memory from the system;
        // where the system tells which pages those are, the others cost nothing.
        .linear_memory_keep_resident(KEPT_OCTETS_MAX)
        .table_keep_resident(KEPT_OCTETS_MAX)
        .pagemap_scan(Enabled::Auto)
        .max_unused_warm_slots(IDLE_ROOM_MAX);
    Ok(pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back() {
        let room = Room::new();
        let reserved = room.reserve(ROOM / 2, 2).unwrap();
        let refused = room.reserve(3, 1);
        assert!(matches!(refused, Err(PluginError::NoRoom { instances: 3, left: 0 })), "{refused:?}");
        drop(reserved);
        assert!(room.reserve(ROOM, 1).is_ok());
        assert!(room.reserve(usize::MAX, 2).is_err());
    }
}
