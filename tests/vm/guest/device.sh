# SPDX-License-Identifier: BSD-3-Clause
#
# Sourced by the scripts of this folder: devices of the machine, and results.
#
#	check TEXT COMMAND...		a result; what the command printed is shown when it failed
#	refused TEXT PATTERN COMMAND...	the command must fail with one line on stderr that matches
#	provoke PATTERN			what the kernel may say in this test
#	to_vfio BDF...			binds to vfio-pci, by sysfs alone
#	from_vfio BDF...		back to the driver that the kernel chooses, or none
#	group_of BDF			prints the number of its IOMMU group
#	driver_of BDF			prints the driver's name, nothing without one
#	as_nobody COMMAND...		without any rights; $nobody is the same as words of a command
#	has_iommu			whether the machine has an IOMMU
#	reserve_pages			without an IOMMU DMA memory comes from huge pages
#	wait_for SECONDS COMMAND...	until the command succeeds

sysfs=/sys/bus/pci

check()
{
	text=$1
	shift
	if output=$("$@" 2>&1); then
		echo "ok - $text"
	else
		echo "not ok - $text"
		echo "$output" | tail -n 30
		return 1
	fi
}

refused()
{
	text=$1
	pattern=$2
	shift 2
	output=$("$@" 2>&1 >/dev/null)
	status=$?
	if [ $status -eq 1 ] && [ "$(echo "$output" | wc -l)" -eq 1 ] &&
		echo "$output" | grep -q -E -e "$pattern"; then
		echo "ok - $text"
	else
		echo "not ok - $text"
		echo "status $status, looked for \"$pattern\" in:"
		echo "$output"
	fi
	echo "says: $output"
}

provoke()
{
	echo "$1" >>/tmp/provoked
}

driver_of()
{
	[ ! -e "$sysfs/devices/$1/driver" ] || basename "$(readlink "$sysfs/devices/$1/driver")"
}

to_vfio()
{
	for bdf in "$@"; do
		[ "$(driver_of "$bdf")" = vfio-pci ] && continue
		echo vfio-pci >"$sysfs/devices/$bdf/driver_override"
		[ -z "$(driver_of "$bdf")" ] || echo "$bdf" >"$sysfs/devices/$bdf/driver/unbind"
		echo "$bdf" >"$sysfs/drivers_probe"
		if [ "$(driver_of "$bdf")" != vfio-pci ]; then
			echo "not ok - $bdf is bound to vfio-pci"
			exit 1
		fi
	done
}

from_vfio()
{
	for bdf in "$@"; do
		echo >"$sysfs/devices/$bdf/driver_override"
		[ -z "$(driver_of "$bdf")" ] || echo "$bdf" >"$sysfs/devices/$bdf/driver/unbind"
		echo "$bdf" >"$sysfs/drivers_probe"
	done
}

group_of()
{
	basename "$(readlink "$sysfs/devices/$1/iommu_group")"
}

# Groups do not tell: a noiommu device has one as well.
has_iommu()
{
	[ -n "$(ls /sys/class/iommu)" ]
}

reserve_pages()
{
	has_iommu || echo 8 >/proc/sys/vm/nr_hugepages
}

nobody="setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --inh-caps=-all
	--bounding-set=-all --"

as_nobody()
{
	# shellcheck disable=SC2086	# words
	$nobody "$@"
}

# Runs the suite as the words say, for what the list of skips knows as $backend, or kernel-$TEST; the list is where a
# user without rights can read it, which the tree may not be.
run_suite()
{
	install -m 644 "$SOURCE/tests/conformance/expected-skips" /tmp/expected-skips
	"$@" --backend "${backend:-kernel-$TEST}" --expected-skips /tmp/expected-skips >/tmp/suite
	cat /tmp/suite
	planned=$(sed -n 's/^1\.\.//p' /tmp/suite)
	check "the suite came to its end" \
		test "${planned:-none}" = "$(grep -c -E '^(not )?ok ' /tmp/suite)"
}

wait_for()
{
	tries=$(($1 * 20))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}
