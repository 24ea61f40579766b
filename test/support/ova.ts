// Appliances as other products write them, made with qemu-img and tar.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface OvaOptions {
  readonly name?: string;
  readonly memoryMib?: number;
  readonly system?: string;
  /** Part of the description, for what a test wants in it. */
  readonly more?: string;
  /** Writes a wrong digest into the manifest. */
  readonly wrongDigest?: boolean;
  /** The description without its disk's image in the archive. */
  readonly withoutDisk?: boolean;
  readonly description?: string;
}

export const ovf = (options: OvaOptions, disk: string, capacityBytes: number): string => `<?xml version="1.0"?>
<!-- Made by a test -->
<Envelope ovf:version="1.0" xml:lang="en-US" xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vbox="http://www.virtualbox.org/ovf/machine">
  <References><File ovf:id="file1" ovf:href="${disk}"/></References>
  <DiskSection><Info>Disks</Info><Disk ovf:capacity="${capacityBytes}" ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/></DiskSection>
  <VirtualSystem ovf:id="${options.name ?? 'Appliance &amp; more'}">
    <Info>A virtual machine</Info>
    <AnnotationSection><Info>Notes</Info><Annotation>Log in as &quot;user&quot;.</Annotation></AnnotationSection>
    <OperatingSystemSection ovf:id="96"><Info>System</Info><Description>${options.system ?? 'Debian_64'}</Description></OperatingSystemSection>
    <VirtualHardwareSection>
      <Item><rasd:Caption>1 virtual CPU</rasd:Caption><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>1</rasd:VirtualQuantity></Item>
      <Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>${options.memoryMib ?? 384}</rasd:VirtualQuantity></Item>
      <Item><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>PIIX4</rasd:ResourceSubType><rasd:ResourceType>5</rasd:ResourceType></Item>
      <Item><rasd:HostResource>/disk/vmdisk1</rasd:HostResource><rasd:InstanceID>4</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
      <Item><rasd:AutomaticAllocation>true</rasd:AutomaticAllocation><rasd:InstanceID>5</rasd:InstanceID><rasd:ResourceType>15</rasd:ResourceType></Item>
      ${options.more ?? ''}
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
`;

/** @param raw disk whose content the appliance gets. @returns path of the .ova */
export function makeOva(folder: string, raw: string, options: OvaOptions = {}): string {
  const disk = 'box-disk001.vmdk';
  execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=streamOptimized', raw, join(folder, disk)]);
  writeFileSync(join(folder, 'box.ovf'), options.description ?? ovf(options, disk, readFileSync(raw).length));
  const digest = (name: string): string => createHash('sha256').update(readFileSync(join(folder, name))).digest('hex');
  writeFileSync(join(folder, 'box.mf'), `SHA256(box.ovf)= ${digest('box.ovf')}\nSHA256(${disk})= ${options.wrongDigest === true ? '0'.repeat(64) : digest(disk)}\n`);
  const path = join(folder, 'box.ova');
  execFileSync('tar', ['--format=ustar', '-C', folder, '-cf', path, 'box.ovf', 'box.mf', ...(options.withoutDisk === true ? [] : [disk])]);
  return path;
}
