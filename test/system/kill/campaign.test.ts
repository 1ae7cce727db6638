/** The campaign of test/e2e/run/kill-moments.test.ts at more moments: KILL_MOMENTS (50), which follow from KILL_SEED (1). */
import { describeCampaign } from "../../support/kill-campaign.ts";

describeCampaign(Number(process.env.KILL_MOMENTS ?? 50), Number(process.env.KILL_SEED ?? 1));
