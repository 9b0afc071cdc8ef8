//! Every limit of the machine, with its reason.

/// Bytes of programs that may wait for the device. A LAN brings 100 MB/s and a card takes 10: what does not fit here
/// stays in the sockets.
pub const QUEUE_BYTES: usize = 1 << 20;

/// Longest write to the device, which small programs that follow each other share: 8, 64 and 256 KiB take a fast disk 35,
/// 50 and 100 µs, and cards like long writes even better. A quarter of the queue, so that there is room again before all
/// has been written.
pub const PIECE_BYTES: usize = 256 << 10;

/// What is read, or copied to where the kernel takes it, at once.
pub const SCRATCH_BYTES: usize = 64 << 10;

/// Smallest buffer of the queue; the page size, so that a unit of 4 KiB wastes nothing.
pub const PIECE_BYTES_MIN: usize = 4 << 10;

/// Spare buffers that the queue keeps, together: as much as it takes.
pub const SPARE_BYTES: usize = QUEUE_BYTES;

/// After this long without work the queue gives its spare buffers back: the box is small and mostly idle.
pub const QUEUE_IDLE_S: u64 = 2;

/// Stretches of a device that are remembered as unreadable. More mean that hardly anything can be read.
pub const UNREADABLE_MAX: usize = 256;

/// How long a stretch that could not be read counts as unreadable without being tried again, in seconds: a card takes
/// seconds to give up, and whoever asked has been told.
pub const UNREADABLE_S: u64 = 60;

/// Stack of the writer thread: it calls the kernel and little else.
pub const WRITER_STACK_BYTES: usize = 64 << 10;

/// What `O_DIRECT` wants memory aligned to. No Linux device asks for more than a page.
pub const DIRECT_ALIGN: usize = 4096;

/// Erase size where the medium has none of its own. No segment of the log is smaller, and a life that ends without
/// warning leaves two of them partly used: so small that a hundred power cuts cost 50 MiB, and large enough that few
/// discards reach the card.
pub const ERASE_BYTES: u32 = 256 << 10;

/// Write size on cards and disks: they write pages of at least 4 KiB inside, and so does their wear.
pub const WRITE_BYTES: u32 = 4096;

/// The mail process says at least this often that it lives, in seconds.
pub const HEARTBEAT_S: u64 = 5;

/// A mail process that gave no sign of life for this long, in seconds, is ended and started again. Several heartbeats:
/// a slow card may hold one up.
pub const SILENCE_S_MAX: u64 = 30;

/// The same for a process that has not yet said anything: it mounts the store first, which may mean repairs.
pub const SILENCE_AT_START_S_MAX: u64 = 180;

/// Without a sign of life for this long, in seconds, the watchdog is not fed any more and starts the box anew. Longer
/// than one restart of the mail process takes to fail.
pub const WATCHDOG_PATIENCE_S: u64 = 600;

/// The mail process has this long to end by itself before it is killed, in seconds.
pub const FAREWELL_S_MAX: u64 = 10;

/// Largest file that is read from or written to the boot partition: a thousand accounts fit.
pub const BOOT_FILE_BYTES_MAX: usize = 64 << 10;

/// Largest message between the two processes: a boot file and what else the first message says.
pub const CONTROL_BYTES_MAX: usize = BOOT_FILE_BYTES_MAX + (16 << 10);

/// Most descriptors in one message: the flash twice, two packet sockets, the listeners.
pub const CONTROL_FDS_MAX: usize = 16;

/// Longest text on the console at once: a screen of 80 by 25.
pub const CONSOLE_BYTES_MAX: usize = 2048;

/// Deaths that are kept on record: enough to see whether they are alike.
pub const DEATHS_MAX: usize = 4;

/// Bytes of a dead process' last lines that are kept: a panic's message and what led to it.
pub const LAST_WORDS_BYTES: usize = 1024;

/// Bytes of the mail process' log that PID 1 passes on before it looks at the rest again: a serial console takes most of
/// a second for them, and the watchdog wants to be fed.
pub const LOG_TURN_BYTES: usize = 8 << 10;

/// Longest log line: the kernel's records end at 1024 bytes, what it adds included.
pub const LOG_LINE_BYTES_MAX: usize = 900;

/// Descriptors that the mail process may have open: its connections' limits together, outbound connections and its
/// own, and room.
pub const OPEN_FILES_MAX: u64 = 4096;

/// Name and time servers that are taken from a DHCP server: more than three nobody asks in time.
pub const DHCP_SERVERS_MAX: usize = 3;

/// Time servers that are asked in turn.
pub const SNTP_SERVERS_MAX: usize = 6;

/// Questions and records in an mDNS message that are looked at; what does not fit in one frame is not for us.
pub const MDNS_RECORDS_MAX: usize = 100;

/// Addresses of each kind that the box is known under: IPv6 networks hand out several.
pub const MDNS_ADDRESSES_MAX: usize = 4;

/// Connections to one service that may wait to be taken up: more than the box serves at once.
pub const BACKLOG: i32 = 4_096;
