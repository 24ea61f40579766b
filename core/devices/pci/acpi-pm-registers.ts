// Registers of ACPI's fixed hardware (ACPI 1.0b, section 4.7) as the PIIX4 lays them out.

export const PM1_STS = 0x00;
export const PM1_EN = 0x02;
export const PM1_CNT = 0x04;
export const PM_TMR = 0x08;
export const GPE0_STS = 0x0c;
export const GPE0_EN = 0x0e;

export const TMR_STS = 0x0001;
export const BM_STS = 0x0010;
export const GBL_STS = 0x0020;
export const PWRBTN_STS = 0x0100;
export const SLPBTN_STS = 0x0200;
export const RTC_STS = 0x0400;
export const WAK_STS = 0x8000;

/** Status bits that have an enable bit at the same place and raise the SCI. */
export const EVENT_BITS = TMR_STS | GBL_STS | PWRBTN_STS | RTC_STS;
export const STATUS_BITS = EVENT_BITS | BM_STS | WAK_STS;

export const SCI_EN = 0x0001;
export const BM_RLD = 0x0002;
export const GBL_RLS = 0x0004;
export const SLP_TYP_SHIFT = 10;
export const SLP_TYP = 7 << SLP_TYP_SHIFT;
export const SLP_EN = 0x2000;
