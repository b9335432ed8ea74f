-- SPDX-License-Identifier: BSD-3-Clause
--
-- vfio-user.lua - the vfio-user protocol for Wireshark and tshark.
--
--     vfiokit read model:edu bar0 0 4 --filter trace,file=x.pcapng
--     tshark -X lua_script:vfio-user.lua -r x.pcapng
--
-- Source of names and layouts: docs/interop/vfio-user.rst of QEMU, and <linux/vfio.h> for what it takes from there. A
-- packet is one message; numbers are in the byte order of the host that sent it, which the header's size tells.
-- A message that is not what its header says is marked vfio_user.malformed; one that the capture has cut is
-- vfio_user.cut. Requests and replies are matched by id, command and section of the capture file.

local proto = Proto("vfio-user", "vfio-user")

-- ---- fields ----

local f = {}
local all = {}

local function field(name, kind, text, ...)
	local made = ProtoField[kind]("vfio_user." .. name, text, ...)

	f[name] = made
	all[#all + 1] = made
	return made
end

-- A word of flags and its bits: { {bit, name, text}, ... }. The word's entry in f; the bits in f.bits of its name.
local bits_of = {}

local function flags(name, text, bits)
	field(name, "uint32", text, base.HEX)
	bits_of[name] = {}
	for _, bit in ipairs(bits) do
		bits_of[name][#bits_of[name] + 1] =
			field(name .. "." .. bit[2], "bool", bit[3], 32, nil, 2 ^ bit[1])
	end
end

local function u32(name, text, base_, names) field(name, "uint32", text, base_ or base.DEC, names) end
local function u64(name, text, base_) field(name, "uint64", text, base_ or base.HEX) end

local commands = {
	[1] = "VERSION", [2] = "DMA_MAP", [3] = "DMA_UNMAP", [4] = "DEVICE_GET_INFO",
	[5] = "DEVICE_GET_REGION_INFO", [6] = "DEVICE_GET_REGION_IO_FDS", [7] = "DEVICE_GET_IRQ_INFO",
	[8] = "DEVICE_SET_IRQS", [9] = "REGION_READ", [10] = "REGION_WRITE", [11] = "DMA_READ",
	[12] = "DMA_WRITE", [13] = "DEVICE_RESET", [14] = "DIRTY_PAGES", [15] = "REGION_WRITE_MULTI",
	[16] = "DEVICE_FEATURE", [17] = "MIG_DATA_READ", [18] = "MIG_DATA_WRITE",
	[19] = "GET_PRECOPY_INFO",
}

-- Linux's numbers (asm-generic/errno.h) of those that are seen.
local errnos = {
	[0] = "none",
	[1] = "EPERM", [2] = "ENOENT", [4] = "EINTR", [5] = "EIO", [7] = "E2BIG", [9] = "EBADF", [11] = "EAGAIN",
	[12] = "ENOMEM", [13] = "EACCES", [14] = "EFAULT", [16] = "EBUSY", [17] = "EEXIST", [19] = "ENODEV",
	[22] = "EINVAL", [24] = "EMFILE", [25] = "ENOTTY", [28] = "ENOSPC", [30] = "EROFS", [34] = "ERANGE",
	[38] = "ENOSYS", [71] = "EPROTO", [90] = "EMSGSIZE", [93] = "EPROTONOSUPPORT", [95] = "EOPNOTSUPP",
	[104] = "ECONNRESET", [105] = "ENOBUFS", [107] = "ENOTCONN", [110] = "ETIMEDOUT",
}

local features = {
	[0] = "PCI_VF_TOKEN", [1] = "MIGRATION", [2] = "MIG_DEVICE_STATE", [3] = "LOW_POWER_ENTRY",
	[4] = "LOW_POWER_ENTRY_WITH_WAKEUP", [5] = "LOW_POWER_EXIT", [6] = "DMA_LOGGING_START",
	[7] = "DMA_LOGGING_STOP", [8] = "DMA_LOGGING_REPORT", [9] = "MIG_DATA_SIZE", [10] = "BUS_MASTER",
	[11] = "DMA_BUF", [12] = "MIG_PRECOPY_INFOv2",
}

local mig_states = {
	[0] = "ERROR", [1] = "STOP", [2] = "RUNNING", [3] = "STOP_COPY", [4] = "RESUMING", [5] = "RUNNING_P2P",
	[6] = "PRE_COPY", [7] = "PRE_COPY_P2P",
}

local pci_regions = {
	[0] = "bar0", [1] = "bar1", [2] = "bar2", [3] = "bar3", [4] = "bar4", [5] = "bar5", [6] = "rom",
	[7] = "config", [8] = "vga",
}
local pci_irqs = { [0] = "intx", [1] = "msi", [2] = "msix", [3] = "err", [4] = "req" }

field("msg_id", "uint16", "Message ID", base.DEC)
field("command", "uint16", "Command", base.DEC, commands)
u32("size", "Message size")
field("flags", "uint32", "Flags", base.HEX)
field("flags.type", "uint32", "Type", base.DEC, { [0] = "Command", [1] = "Reply" }, 0xf)
field("flags.no_reply", "bool", "No_reply", 32, nil, 0x10)
field("flags.error", "bool", "Error", 32, nil, 0x20)
u32("error", "Error number", base.DEC, errnos)
u32("argsz", "argsz")
u32("fds", "Descriptors beside the message")
field("request_in", "framenum", "Request in", base.NONE, frametype.REQUEST)
field("reply_in", "framenum", "Reply in", base.NONE, frametype.RESPONSE)
field("response_time", "relative_time", "Time from request to reply")

field("version.major", "uint16", "Major version", base.DEC)
field("version.minor", "uint16", "Minor version", base.DEC)
field("version.json", "string", "Capabilities")

flags("dma.map_flags", "Flags", { { 0, "readable", "Readable" }, { 1, "writeable", "Writeable" },
	{ 2, "mmap", "To be mapped" }, { 3, "file", "To be read and written" } })
u64("dma.offset", "Offset in the file")
u64("dma.addr", "Address")
u64("dma.size", "Size")
flags("dma.unmap_flags", "Flags", { { 0, "bitmap", "Get dirty bitmap" }, { 1, "all", "All" } })
u64("dma.pgsize", "Page size of the bitmap")
u64("dma.bitmap_size", "Size of the bitmap", base.DEC)
field("dma.bitmap", "bytes", "Bitmap")
u64("dma.count", "Count", base.DEC)

flags("device.flags", "Flags", { { 0, "reset", "Can be reset" }, { 1, "pci", "PCI" },
	{ 2, "platform", "Platform" }, { 3, "amba", "AMBA" }, { 4, "ccw", "CCW" }, { 5, "ap", "AP" },
	{ 6, "fsl_mc", "FSL-MC" }, { 7, "caps", "Capabilities" } })
u32("device.num_regions", "Regions")
u32("device.num_irqs", "Interrupt indexes")

u32("cap_offset", "Offset of the first capability")
field("cap.id", "uint16", "Capability", base.DEC)
field("cap.version", "uint16", "Version", base.DEC)
u32("cap.next", "Next")
field("cap.data", "bytes", "Data")

flags("region_info.flags", "Flags", { { 0, "read", "Readable" }, { 1, "write", "Writeable" },
	{ 2, "mmap", "Can be mapped" }, { 3, "caps", "Capabilities" } })
u64("region_info.size", "Size")
u64("region_info.offset", "Offset in the file")
u32("sparse.nr_areas", "Areas")
u64("sparse.offset", "Offset")
u64("sparse.size", "Size")
u64("sparse.fd_offset", "Offset in the file")
u32("sparse.fd_index", "Descriptor")
u32("cap.type", "Type", base.HEX)
u32("cap.subtype", "Subtype", base.HEX)

u32("io_fds.flags", "Flags", base.HEX)
u32("io_fds.count", "Sub-regions")
u64("io_fds.offset", "Offset")
u64("io_fds.size", "Size")
u32("io_fds.fd_index", "Descriptor")
u32("io_fds.type", "Type", base.DEC, { [0] = "ioeventfd", [1] = "ioregionfd", [2] = "shadow ioeventfd" })
u32("io_fds.sub_flags", "Flags", base.HEX)
u32("io_fds.shadow_fd_index", "Shadow descriptor")
u64("io_fds.datamatch", "Datamatch or user data")
u64("io_fds.shadow_offset", "Offset in the shadow")

flags("irq_info.flags", "Flags", { { 0, "eventfd", "Eventfd" }, { 1, "maskable", "Maskable" },
	{ 2, "automasked", "Automasked" }, { 3, "noresize", "Not resizable" } })
flags("irq.flags", "Flags", { { 0, "data_none", "No data" }, { 1, "data_bool", "Bools" },
	{ 2, "data_eventfd", "Eventfds" }, { 3, "action_mask", "Mask" }, { 4, "action_unmask", "Unmask" },
	{ 5, "action_trigger", "Trigger" } })
u32("irq.index", "Interrupt index")
u32("irq.start", "First vector")
u32("irq.count", "Vectors")
field("irq.bools", "bytes", "Bools")

u64("offset", "Offset")
u32("region", "Region")
u32("count", "Count")
field("data", "bytes", "Data")
u64("write.count", "Writes", base.DEC)
u32("write.length", "Length")

field("feature.flags", "uint32", "Flags", base.HEX)
field("feature.id", "uint32", "Feature", base.DEC, features, 0xffff)
field("feature.get", "bool", "Get", 32, nil, 0x10000)
field("feature.set", "bool", "Set", 32, nil, 0x20000)
field("feature.probe", "bool", "Probe", 32, nil, 0x40000)
field("feature.data", "bytes", "Data")
u64("feature.migration_flags", "Migration flags")
u32("feature.mig_state", "Device state", base.DEC, mig_states)
field("feature.data_fd", "int32", "Data descriptor")
field("feature.wakeup_eventfd", "int32", "Wakeup eventfd")
u32("feature.reserved", "Reserved")
u64("feature.page_size", "Page size")
u32("feature.num_ranges", "Ranges")
u64("feature.iova", "IOVA")
u64("feature.length", "Length")
field("feature.bitmap", "bytes", "Bitmap")
u64("feature.stop_copy_length", "Bytes in stop-copy", base.DEC)
u32("feature.bus_master", "Bus mastering", base.DEC, { [0] = "off", [1] = "on" })

u32("mig.size", "Bytes")
u32("mig.flags", "Flags", base.HEX)
u64("mig.initial_bytes", "Initial bytes", base.DEC)
u64("mig.dirty_bytes", "Dirty bytes", base.DEC)

proto.fields = all

local malformed = ProtoExpert.new("vfio_user.malformed", "Malformed message", expert.group.MALFORMED,
	expert.severity.ERROR)
local cut = ProtoExpert.new("vfio_user.cut", "Message cut by the capture", expert.group.COMMENTS_GROUP,
	expert.severity.NOTE)
local unanswered = ProtoExpert.new("vfio_user.unasked", "Reply without a request", expert.group.SEQUENCE,
	expert.severity.NOTE)
local refused = ProtoExpert.new("vfio_user.refused", "Error reply", expert.group.RESPONSE_CODE,
	expert.severity.CHAT)
proto.experts = { malformed, cut, unanswered, refused }

-- ---- a cursor: takes fields from a message, one behind the other, and stops where there are no more bytes ----

local Cursor = {}
Cursor.__index = Cursor

-- What ends the dissection of a message; anything else that is thrown is a fault of this file.
local function stop(text) error({ text = text }, 0) end

function Cursor:left() return self.stop - self.at end

function Cursor:range(n)
	local left = self:left()

	if n > left then
		if self.is_cut then error({ cut = true }, 0) end
		stop(string.format("%d bytes needed, %d left", n, left))
	end
	if n == 0 then return nil end
	self.at = self.at + n
	return self.tvb(self.at - n, n)
end

function Cursor:add(name, range)
	if self.le then return self.tree:add_le(f[name], range) end
	return self.tree:add(f[name], range)
end

function Cursor:number(name, n)
	local range = self:range(n)

	return self.le and range:le_uint() or range:uint(), self:add(name, range)
end

function Cursor:u16(name) return self:number(name, 2) end
function Cursor:u32(name) return self:number(name, 4) end

-- As a number, of which Lua has 53 bits, and as text, which has all.
function Cursor:u64(name)
	local range = self:range(8)
	local value = self.le and range:le_uint64() or range:uint64()

	self:add(name, range)
	return value:tonumber(), "0x" .. (value:tohex():gsub("^0+(.)", "%1"))
end

function Cursor:flags(name)
	local range = self:range(4)
	local value = self.le and range:le_uint() or range:uint()
	local tree = self:add(name, range)

	for _, bit in ipairs(bits_of[name]) do
		if self.le then tree:add_le(bit, range) else tree:add(bit, range) end
	end
	return value
end

function Cursor:bytes(name, n)
	if n == 0 then return end
	-- What a capture has cut is shown as far as it goes.
	if self.is_cut and n > self:left() then
		if self:left() > 0 then self:add(name, self:range(self:left())) end
		error({ cut = true }, 0)
	end
	if n > self:left() then stop(string.format("%.0f bytes of data said, %d there", n, self:left())) end
	self.tree:add(f[name], self:range(n))
end

-- A branch of the tree for what is taken within fn.
function Cursor:branch(text, fn)
	local outer, from = self.tree, self.at

	if self:left() == 0 then self:range(1) end
	self.tree = outer:add(proto, self.tvb(from, self:left()), text)
	fn(self.tree)
	self.tree:set_len(self.at - from)
	self.tree = outer
end

local function bit(value, n) return math.floor(value / 2 ^ n) % 2 == 1 end

local function named(item, names, value, on)
	if on and names[value] then item:append_text(" (" .. names[value] .. ")") end
end

-- ---- what is kept of a capture: its requests, and which devices are PCI ----

local requests, partner, started, pci

function proto.init()
	requests, partner, started, pci = {}, {}, {}, {}
end

local function extractor(name)
	local ok, made = pcall(Field.new, name)

	return ok and made or function() return nil end
end

local section_of = extractor("frame.section_number")
local interface_of = extractor("frame.interface_id")
local comment_of = extractor("frame.comment")

local function stream()
	local section, interface = section_of(), interface_of()

	return tostring(section and section.value or 0) .. "/" .. tostring(interface and interface.value or 0)
end

-- ---- payloads ----

local function take_version(c)
	local major = c:u16("version.major")
	local minor = c:u16("version.minor")

	c.info = string.format("%d.%d", major, minor)
	if c:left() == 0 then return end
	local text = c:range(c:left())
	local ends = text(text:len() - 1, 1):uint() == 0
	local json = text:len() > 1 and text(0, text:len() - (ends and 1 or 0))

	c.tree:add(f["version.json"], text, json and json:string() or "")
	if not ends then
		if c.is_cut then error({ cut = true }, 0) end
		stop("the JSON has no NUL at its end")
	end
	if json then Dissector.get("json"):call(json:tvb(), c.pinfo, c.tree) end
end

local function take_dma_map(c)
	c:u32("argsz")
	c:flags("dma.map_flags")
	c:u64("dma.offset")
	local _, addr = c:u64("dma.addr")
	local _, size = c:u64("dma.size")

	c.info = addr .. ", " .. size
end

local function take_unmap(c, reply)
	if reply and c:left() == 0 then return end -- some servers
	c:u32("argsz")
	local set = c:flags("dma.unmap_flags")
	local _, addr = c:u64("dma.addr")
	local _, size = c:u64("dma.size")

	c.info = bit(set, 1) and "all" or addr .. ", " .. size
	if bit(set, 0) then
		c:u64("dma.pgsize")
		local n = c:u64("dma.bitmap_size")

		if reply then c:bytes("dma.bitmap", n) end
	end
end

-- Areas of SPARSE_MMAP, or with descriptors.
local function take_areas(c, with_fds)
	local n = c:u32("sparse.nr_areas")

	c:u32("feature.reserved")
	for i = 1, n do
		c:branch("Area " .. i - 1, function()
			c:u64("sparse.offset")
			if with_fds then c:u64("sparse.fd_offset") end
			c:u64("sparse.size")
			if with_fds then
				c:u32("sparse.fd_index")
				c:u32("feature.reserved")
			end
		end)
	end
end

local region_caps = {
	[1] = { "SPARSE_MMAP", function(c) take_areas(c, false) end },
	[2] = { "TYPE", function(c) c:u32("cap.type") c:u32("cap.subtype") end },
	[3] = { "MSIX_MAPPABLE", function() end },
	[16] = { "SPARSE_MMAP_FDS", function(c) take_areas(c, true) end },
}

-- A chain: each capability begins at an offset from the payload's beginning, behind the structure of fixed bytes.
local function take_caps(c, first, fixed, known)
	local payload, last, next_ = c.start, c.stop, first
	local seen = {}

	while next_ ~= 0 do
		if next_ < fixed or payload + next_ + 8 > last then
			if c.is_cut and next_ >= fixed then error({ cut = true }, 0) end
			stop(string.format("a capability at %d", next_))
		end
		if seen[next_] then stop("the chain of capabilities is a loop") end
		seen[next_] = true
		c.at = payload + next_
		c:branch("Capability", function(tree)
			local id, item = c:u16("cap.id")
			local what = known[id]

			if what then
				item:append_text(" (" .. what[1] .. ")")
				tree:set_text("Capability: " .. what[1])
			end
			c:u16("cap.version")
			next_ = c:u32("cap.next")
			if what then
				what[2](c)
			elseif next_ == 0 then
				c:bytes("cap.data", c:left())
			elseif payload + next_ > c.at and payload + next_ <= last then
				c:bytes("cap.data", payload + next_ - c.at)
			end
		end)
	end
	c.at = last
end

local function take_device_info(c, reply)
	c:u32("argsz")
	local set = c:flags("device.flags")
	local regions = c:u32("device.num_regions")
	local irqs = c:u32("device.num_irqs")

	if not reply then
		c.at = c.stop
		return
	end
	if not c.pinfo.visited then pci[c.stream] = bit(set, 1) end
	c.info = string.format("%d regions, %d interrupt indexes", regions, irqs)
	if bit(set, 7) and c:left() > 0 then take_caps(c, c:u32("cap_offset"), 20, {}) end
end

local function take_region_info(c, reply)
	c:u32("argsz")
	local set = c:flags("region_info.flags")
	local index, item = c:u32("region")

	named(item, pci_regions, index, pci[c.stream])
	local first = c:u32("cap_offset")
	local _, size = c:u64("region_info.size")

	c:u64("region_info.offset")
	c.info = "Region " .. index .. (reply and ", " .. size or "")
	if not reply then
		c.at = c.stop
	elseif bit(set, 3) and c:left() > 0 then
		take_caps(c, first, 32, region_caps)
	end
end

local function take_io_fds(c, reply)
	local argsz = c:u32("argsz")

	c:u32("io_fds.flags")
	local index, item = c:u32("region")

	named(item, pci_regions, index, pci[c.stream])
	local n = c:u32("io_fds.count")

	c.info = "Region " .. index
	if not reply or c:left() == 0 then return end
	local each = n > 0 and (argsz - 16) / n or 0

	if each ~= 40 and each ~= 48 then stop(string.format("%d entries in %d bytes", n, argsz - 16)) end
	for i = 1, n do
		c:branch("Sub-region " .. i - 1, function()
			c:u64("io_fds.offset")
			c:u64("io_fds.size")
			c:u32("io_fds.fd_index")
			c:u32("io_fds.type")
			c:u32("io_fds.sub_flags")
			c:u32("io_fds.shadow_fd_index")
			c:u64("io_fds.datamatch")
			if each == 48 then c:u64("io_fds.shadow_offset") end
		end)
	end
end

local function take_irq_info(c, reply)
	c:u32("argsz")
	c:flags("irq_info.flags")
	local index, item = c:u32("irq.index")

	named(item, pci_irqs, index, pci[c.stream])
	local n = c:u32("irq.count")

	c.info = "Index " .. index .. (reply and ", " .. n .. " vectors" or "")
end

local function take_set_irqs(c, reply)
	if reply then
		-- Between two ends of vfiokit: how many vectors can be had.
		if c:left() > 0 then
			c:u32("argsz")
			c:u32("irq.count")
		end
		return
	end
	c:u32("argsz")
	local set = c:flags("irq.flags")
	local index, item = c:u32("irq.index")

	named(item, pci_irqs, index, pci[c.stream])
	local first = c:u32("irq.start")
	local n = c:u32("irq.count")

	c.info = string.format("Index %d, %s vectors %d to %d", index,
		bit(set, 3) and "mask" or bit(set, 4) and "unmask" or "trigger", first, first + n - 1)
	if n == 0 then c.info = string.format("Index %d, disable", index) end
	if bit(set, 1) then c:bytes("irq.bools", n) end
end

local function take_region_front(c)
	local _, offset = c:u64("offset")
	local region, item = c:u32("region")

	named(item, pci_regions, region, pci[c.stream])
	local n = c:u32("count")

	c.info = string.format("Region %d, %s, %d bytes", region, offset, n)
	return n
end

local function take_region_read(c, reply)
	local n = take_region_front(c)

	if reply then c:bytes("data", n) end
end

local function take_region_write(c, reply)
	local n = take_region_front(c)

	if not reply then c:bytes("data", n) end
end

-- The count has 64 bits. QEMU up to 10.2 has 32, data directly behind it, and four bytes too many at the end.
local function take_dma_access(c, with_data)
	local _, addr = c:u64("dma.addr")
	local range = c:range(8)
	local count = c.le and range:le_uint64() or range:uint64()

	if with_data and count:tonumber() ~= c.whole - 16 then
		c.at = c.at - 8
		local n = c:u32("count")

		c.info = addr .. ", " .. n .. " bytes"
		if n ~= c.whole - 16 then stop(string.format("%d bytes of data said, %d there", n, c.whole - 16)) end
		c:bytes("data", n)
		c:range(4)
		return
	end
	c:add("dma.count", range)
	c.info = addr .. ", " .. count:tonumber() .. " bytes"
	if with_data then c:bytes("data", count:tonumber()) end
end

local function take_dma_write(c, reply)
	if reply and c:left() == 0 then return end -- QEMU up to 10.2
	take_dma_access(c, not reply)
end

local function take_writes(c, reply)
	local n = c:u64("write.count")

	c.info = string.format("%.0f writes", n)
	if reply then return end
	if n * 24 > c:left() and not c.is_cut then stop(string.format("%.0f writes in %d bytes", n, c:left())) end
	for i = 1, n do
		c:branch("Write " .. i - 1, function()
			c:u64("offset")
			local region, item = c:u32("region")

			named(item, pci_regions, region, pci[c.stream])
			local len = c:u32("write.length")

			if len > 8 then stop(string.format("a write of %d bytes", len)) end
			c:bytes("data", len)
			c:range(8 - len)
		end)
	end
end

local function take_ranges(c)
	c:u64("feature.page_size")
	local n = c:u32("feature.num_ranges")

	c:u32("feature.reserved")
	for i = 1, n do
		c:branch("Range " .. i - 1, function()
			c:u64("feature.iova")
			c:u64("feature.length")
		end)
	end
end

-- What a feature's structure is, inline; with whether it is the reply.
local feature_data = {
	[1] = function(c) c:u64("feature.migration_flags") end,
	[2] = function(c)
		local state = c:u32("feature.mig_state")

		c.info = c.info .. ", " .. (mig_states[state] or state)
		c:u32("feature.data_fd")
	end,
	[4] = function(c) c:u32("feature.wakeup_eventfd") c:u32("feature.reserved") end,
	[6] = take_ranges,
	[8] = function(c, reply)
		c:u64("feature.iova")
		c:u64("feature.length")
		c:u64("feature.page_size")
		if reply then c:bytes("feature.bitmap", c:left()) end
	end,
	[9] = function(c) c:u64("feature.stop_copy_length") end,
	[10] = function(c) c:u32("feature.bus_master") end,
}

local function take_feature(c, reply)
	c:u32("argsz")
	local range = c:range(4)
	local word = c.le and range:le_uint() or range:uint()
	local outer, id = c.tree, word % 0x10000

	c.tree = c:add("feature.flags", range)
	for _, name in ipairs({ "feature.id", "feature.get", "feature.set", "feature.probe" }) do
		c:add(name, range)
	end
	c.tree = outer
	c.info = (features[id] or "feature " .. id) .. (bit(word, 16) and ", get" or "") ..
		(bit(word, 17) and ", set" or "") .. (bit(word, 18) and ", probe" or "")
	if bit(word, 18) or c:left() == 0 then return end
	if feature_data[id] then
		feature_data[id](c, reply)
	else
		c:bytes("feature.data", c:left())
	end
end

local function take_mig(c, with_data)
	c:u32("argsz")
	local n = c:u32("mig.size")

	c.info = n .. " bytes"
	if with_data then c:bytes("data", n) end
end

local function take_mig_write(c, reply)
	if reply and c:left() == 0 then return end -- older servers
	take_mig(c, not reply)
end

local function take_precopy(c)
	c:u32("argsz")
	c:u32("mig.flags")
	if c:left() > 0 then
		c:u64("mig.initial_bytes")
		c:u64("mig.dirty_bytes")
	end
end

local payloads = {
	[1] = take_version,
	[2] = function(c, reply) if not reply then take_dma_map(c) end end,
	[3] = take_unmap,
	[4] = take_device_info,
	[5] = take_region_info,
	[6] = take_io_fds,
	[7] = take_irq_info,
	[8] = take_set_irqs,
	[9] = take_region_read,
	[10] = take_region_write,
	[11] = function(c, reply) take_dma_access(c, reply) end,
	[12] = take_dma_write,
	[13] = function() end,
	[14] = function(c) c:bytes("data", c:left()) end,
	[15] = take_writes,
	[16] = take_feature,
	[17] = take_mig,
	[18] = take_mig_write,
	[19] = take_precopy,
}

-- ---- messages ----

-- A reply belongs to the last request with its id and command that has none.
local function match(c, id, command, reply, no_reply)
	local number, key = c.pinfo.number, c.stream .. "/" .. id .. "/" .. command

	if c.pinfo.visited then return end
	if not reply then
		requests[key] = not no_reply and number or nil
		started[number] = c.pinfo.rel_ts
	elseif requests[key] then
		partner[number] = requests[key]
		partner[requests[key]] = number
		requests[key] = nil
	end
end

local function show_match(c, reply)
	local number = c.pinfo.number
	local other = partner[number]

	if other and not reply then
		c.tree:add(f.reply_in, other):set_generated()
	elseif other then
		local took = math.max(0, math.floor((c.pinfo.rel_ts - started[other]) * 1e9 + 0.5))

		c.tree:add(f.request_in, other):set_generated()
		c.tree:add(f.response_time, NSTime.new(math.floor(took / 1e9), took % 1e9)):set_generated()
	elseif reply then
		c.tree:add_proto_expert_info(unanswered)
	end
end

local function take_header(c)
	local id = c:u16("msg_id")
	local command = c:u16("command")
	local size = c:u32("size")
	local range = c:range(4)
	local word = c.le and range:le_uint() or range:uint()
	local outer = c.tree

	c.tree = c:add("flags", range)
	for _, name in ipairs({ "flags.type", "flags.no_reply", "flags.error" }) do c:add(name, range) end
	c.tree = outer
	local errno = c:u32("error")

	return { id = id, command = command, size = size, reply = word % 16 == 1, known = word % 16 < 2,
		no_reply = bit(word, 4), failed = bit(word, 5), errno = errno }
end

local function show_fds(c)
	local comment = comment_of()
	local n = comment and tostring(comment.value):match("^descriptors: (%d+)$")

	if n then c.tree:add(f.fds, tonumber(n)):set_generated() end
end

-- DMA_READ and DMA_WRITE are the server's commands.
local function show_columns(c, h)
	local from_client = (h.command ~= 11 and h.command ~= 12) ~= h.reply
	local name = commands[h.command] or "command " .. h.command

	c.pinfo.cols.src = from_client and "client" or "server"
	c.pinfo.cols.dst = from_client and "server" or "client"
	c.title = name .. (h.reply and (h.failed and " error" or " reply") or " request")
	c.pinfo.cols.info = c.title
	c.tree:append_text(": " .. c.title)
end

local function take_payload(c, h)
	c.start, c.whole = c.at, math.max(0, h.size - 16)
	if not h.known then stop("neither a command nor a reply") end
	if h.failed then
		if not h.reply then stop("the Error flag on a command") end
		c.info = errnos[h.errno] or "errno " .. h.errno
		c.tree:add_proto_expert_info(refused, "Error reply: " .. c.info)
	elseif payloads[h.command] then
		payloads[h.command](c, h.reply)
	else
		c:bytes("data", c:left())
		stop("unknown command " .. h.command)
	end
	if c:left() > 0 then stop(c:left() .. " bytes too many") end
end

local function take_message(c)
	local h = take_header(c)

	show_columns(c, h)
	show_fds(c)
	match(c, h.id, h.command, h.reply, h.no_reply)
	show_match(c, h.reply)
	if h.size ~= c.reported then
		c.info = nil
		stop(string.format("size %d, but the message has %d bytes", h.size, c.reported))
	end
	take_payload(c, h)
end

-- The host's byte order: that in which the header's size is the message's.
local function is_little(tvb)
	return tvb:len() < 8 or tvb(4, 4):uint() ~= tvb:reported_len() or
		tvb(4, 4):le_uint() == tvb:reported_len()
end

function proto.dissector(tvb, pinfo, root)
	local tree = root:add(proto, tvb())
	local c = setmetatable({
		tvb = tvb, pinfo = pinfo, tree = tree, at = 0, stop = tvb:len(), reported = tvb:reported_len(),
		is_cut = tvb:len() < tvb:reported_len(), le = is_little(tvb), stream = stream(),
	}, Cursor)
	local ok, why = pcall(take_message, c)

	pinfo.cols.protocol = "vfio-user"
	if c.title and c.info then pinfo.cols.info = c.title .. ": " .. c.info end
	if not ok then
		if type(why) ~= "table" then error(why, 0) end
		if why.cut then
			tree:add_proto_expert_info(cut)
		else
			tree:add_proto_expert_info(malformed, "Malformed message: " .. why.text)
			pinfo.cols.info:append(" [Malformed]")
		end
	end
	return tvb:len()
end
