//! Words that stand in full names and are no names: titles, suffixes, particles.
//!
//! All keys are lower-case letters and digits alone: `Ph.D.` is `phd`, `Dipl.-Ing.` is `dipling`.

/// What stands before a name.
pub(super) fn is_title(key: &str) -> bool {
    stands_in(TITLES, key)
}

/// Words before a name that are names too: a title only before a given name and a surname.
pub(super) fn is_doubtful_title(key: &str) -> bool {
    stands_in(DOUBTFUL_TITLES, key)
}

/// What stands behind a name: generations, degrees, orders.
pub(super) fn is_suffix(key: &str) -> bool {
    stands_in(SUFFIXES, key)
}

/// Words that a title may follow.
pub(super) fn leads_to_title(key: &str) -> bool {
    stands_in(LEADS, key)
}

/// Words of firms beside a partner's name.
pub(super) fn is_company(key: &str) -> bool {
    stands_in("co inc llc ltd corp gmbh plc", key)
}

/// Letters behind a name that may be initials or a short name too.
pub(super) fn is_doubtful_suffix(key: &str) -> bool {
    stands_in(DOUBTFUL_SUFFIXES, key)
}

/// Words that begin a surname of several words.
pub(crate) fn is_particle(key: &str) -> bool {
    stands_in(PARTICLES, key)
}

/// Words between two surnames that belong together: Ortega y Gasset.
pub(super) fn is_conjunction(key: &str) -> bool {
    matches!(key, "y" | "e" | "i" | "und")
}

/// Words behind a particle that make it part of a woman's given name: María del Carmen López.
pub(super) fn continues_given_name(key: &str) -> bool {
    stands_in(MARIAN, key)
}

/// What comes behind these words is an earlier or another name.
pub(super) fn is_other_name(key: &str) -> bool {
    stands_in("nee ne geb geborene geborener born aka alias roz rozena genannt", key)
}

/// Words in brackets that are no nickname.
pub(super) fn is_pronoun(key: &str) -> bool {
    stands_in("he him his she her hers they them er sie ella el elle il", key)
}

/// Whether it is a patronymic of Eastern Europe, in Latin letters.
pub(super) fn is_patronymic(key: &str) -> bool {
    const ENDINGS: [&str; 9] =
        ["ovich", "evich", "ovna", "evna", "ovych", "yovych", "ivna", "yivna", "ichna"];
    key.len() >= 7 && ENDINGS.iter().any(|ending| key.ends_with(ending))
}

/// Whether the words are one given name of two: Jean Pierre, Anne Marie, José Luis, Abdul Rahman.
pub(super) fn begins_compound(first: &str, second: &str) -> bool {
    matches!(first, "abd" | "abdul" | "abdel" | "abdal")
        || (stands_in(COMPOUND_FIRST, first) && stands_in(COMPOUND_SECOND, second))
        || stands_in(SOUTHERN_COMPOUND, &format!("{first}{second}"))
}

/// Whether the key is one of the words.
fn stands_in(words: &str, key: &str) -> bool {
    words.split_ascii_whitespace().any(|word| word == key)
}

const TITLES: &str = "\
    mr mrs ms miss mx mister missus madam maam dr drs doc doctor prof professor emeritus sir dame lady lord \
    hon honorable honourable rev reverend revd fr sr sra srta srs dna dn dona senor senora senorita herr hr \
    hrn frau frl fraulein fru mag magister ing dipling diplinf diplkfm diplkff diplbetriebsw diplwirting \
    diplpsych diplphys diplmath diplchem dipl med rer nat dent vet oec theol pharm phil jur habil hc mult pd \
    priv doz privdoz univprof mme mmes mlle mlles monsieur madame mademoiselle maitre pr sig sigra signor \
    signora signorina dott dottssa dottoressa avv ing arch geom rag profssa eng enga exmo exma ilmo dra \
    profa lic licda licdo cpt capt captain cmdr cdr col colonel general lt ltcol ltgen ltcmdr lieut \
    lieutenant maj majgen sgt sergeant cpl corporal pvt pfc brig brigadier wg sqn ldr officer senator sen \
    rep representative gov governor amb ambassador rabbi sheikh sheik hajji haji hafiz mullah swami sri shri \
    smt shrimati kumari ustad pandit archbishop msgr monsignor pani panna bc mudr judr mgr phdr rndr thdr \
    icdr dhr mevr mw mej ir ibu bapak bpk dato datuk datin puan encik bayan uzm hrh hm";

const DOUBTFUL_TITLES: &str = "\
    bishop judge justice pastor elder major prince princess king queen count countess baron baroness duke \
    duchess don chief deacon abbot saint sultan gen adm president pres minister chancellor imam md most mst \
    mosammat marshall marshal admiral commodore commissioner superintendent inspector detective constable \
    councillor mayor alderman solicitor barrister comptroller director coach chef nurse engr adv advocate \
    cantor canon vicar friar venerable maulana mufti ayatollah lama begum secretary magistrate ambassador \
    attorney congressman congresswoman excellency highness majesty honor shaikh bay tun op av pan ny pt \
    cardinal sister brother father mother";

const LEADS: &str = "\
    the rt right most very us u s and und et y chief district federal magistrate associate assistant deputy \
    vice acting former her his your first second lord lance staff master petty warrant air wing flight field \
    rear grand high squadron senior junior executive under attorney circuit county state national";

const SUFFIXES: &str = "\
    jr jnr junior sr snr senior ii iii iv vi vii viii ix 2nd 3rd 4th 5th esq esquire phd mphil dphil edd \
    psyd pharmd dds dmd dvm mdphd mba mbbs mbchb emba msc bsc meng beng llb llm llmd cpa cfa cfp clu lutc \
    lutcf cissp pmp cpp csp chfc clu shrm phr sphr frcp frcs mrcp frs fba obe cbe mbe kbe dbe qc kc rn bsn \
    msn aprn fnp lcsw lmft lpc crna rph facs faan faap facp faia aia leed usaf usmc usn ret retd dsc scd thd \
    dba drph mph mpa mpp mfa mdiv filho neto sobrinho bacc itil csm cscp cpsm ccna ccie mcse togaf acca aca \
    cima fca fcca";

const DOUBTFUL_SUFFIXES: &str = "\
    md mp mep msp jd do ma ba bs ms pe pt od pa np ra ot eng i v x ca ce cs dc eit gp";

const PARTICLES: &str = "\
    abu af al ap ben bet bin bint binti binte bn da das de degli dei del dela della delle dello delos den \
    der des di dil do dos du el fitz fon ibn la las le les lo los mac mc ni nic op oude pla saint sankt st \
    ste sainte te ten ter thor ua ui uit uz van vande vanden vander ver vom von vor zu zum zur dal dalla \
    dalle dallo ould";

const MARIAN: &str = "\
    carmen pilar mar rosario sol rocio angeles luz dolores lourdes fatima jesus remedios nieves mercedes \
    milagros guadalupe socorro consuelo concepcion cruz gracas dores ceu carmo conceicao graca";

const COMPOUND_FIRST: &str = "\
    jean marie anne anna ana hans karl carl klaus heinz ernst jose juan luis maria francisco miguel pedro \
    carlos jorge joao luiz eva mary peggy betty bobby billy sarah john paul pierre gian giovanni pier lars \
    jan per sven bo";

const COMPOUND_SECOND: &str = "\
    pierre paul marie jacques claude francois louis luc marc michel yves christophe baptiste philippe rose \
    laure sophie lise france noelle peter juergen jurgen joachim josef joseph heinz werner dieter georg otto \
    guenter gunter ulrich martin friedrich wilhelm luis carlos antonio manuel angel jesus maria jose pablo \
    javier miguel ignacio isabel elena luisa teresa cristina belen fernanda paula clara julia beatriz laura \
    sofia lena lisa karin katharina jo ann anne lou ellen joe bob ray jean carlo battista luigi paolo piero \
    erik olof gunnar anders ake arne ola";

const SOUTHERN_COMPOUND: &str = "\
    annmarie marybeth maryann maryanne maryjane joann joanne jimmybob leeann leeanne rosemarie annamaria \
    mariajose";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_place() {
        assert!(is_title("dipling") && is_suffix("phd") && is_particle("van") && is_doubtful_suffix("ma"));
        assert!(!is_title("jane") && !is_suffix("doe") && !is_particle("vance"));
        assert!(is_patronymic("sergeevna") && !is_patronymic("rich"));
        assert!(begins_compound("jean", "pierre") && !begins_compound("jane", "pierre"));
    }
}
