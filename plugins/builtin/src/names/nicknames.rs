//! Short forms of given names, and the long ones that they stand for.
//!
//! Only those by which people sign at work. A short form may have several long ones.

use std::{collections::HashMap, sync::LazyLock};

/// Most other forms of a name: each costs a candidate.
const FORMS_MAX: usize = 4;

/// Other forms of the same given name, lower-case letters: the long ones of a short form, the short ones of a long one.
pub(super) fn other_forms(name: &str) -> Vec<String> {
    let forms = FORMS.get(name).map_or(&[][..], Vec::as_slice);
    forms.iter().take(FORMS_MAX).map(|form| (*form).to_owned()).collect()
}

static FORMS: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let mut forms: HashMap<_, Vec<_>> = HashMap::new();
    for line in SHORT_FORMS.lines() {
        let mut names = line.split_ascii_whitespace();
        let Some(long) = names.next() else { continue };
        for short in names {
            forms.entry(long).or_default().push(short);
            forms.entry(short).or_default().push(long);
        }
    }
    forms
});

/// Lines of a long form and its short ones, the commonest first.
const SHORT_FORMS: &str = "\
abigail abby
abraham abe
agnieszka aga
albert al bert
alejandro alex ale
aleksandr sasha alex
aleksandra ola sasha
alessandro ale alex
alexander alex sasha xander
alexandra alex sasha
alexandre alex
alexei alyosha lyosha
alfred fred alf
alison ali
allison allie
amanda mandy
anastasia nastya
andrea andi
andreas andi andy
andrew andy drew
andrey andrei
andrzej jedrek
angela angie
anna anya ania
anthony tony
antonio tony toni
arthur art
barbara barb basia
bartholomew bart
benedict ben
benjamin ben benji
bernard bernie
bogdan boguslaw
bradley brad
caroline carrie
cassandra cassie
catherine cathy kate katie cat
charles charlie chuck
charlotte lottie
christian chris
christina chris tina
christine chris
christopher chris kit
christoph chris
clifford cliff
constance connie
cristina cris
curtis curt
cynthia cindy
daniel dan danny dani
david dave davy
deborah deb debbie
dennis denny
dmitri dima mitya
dmitry dima
dominic dom nick
donald don
dorothy dot dottie
douglas doug
eduardo edu eddie
edward ed eddie ted
edwin ed
eleanor ellie nell
elena lena
elizabeth liz beth lizzie betty
emily em
enrique quique
eugene gene
ekaterina katya
evgeny zhenya eugene
ewa ewka
federico fede
ferdinand ferdi
florian flo
frances fran
francesca fran
francisco paco fran
francis frank
franklin frank
franz franzi
frederick fred freddie
friedrich fritz
gabriel gabe
gabriele gabi
gerald gerry jerry
gerard gerry
geoffrey geoff
george georgie
gerhard gerd
giovanni gianni
giuseppe beppe peppe
gonzalo gonza
grigory grisha
gregory greg
guadalupe lupe
guillermo guille memo
gwendolyn gwen
hannelore hanne
harold harry hal
heinrich heinz
helena lena
henry harry hank
ignacio nacho
ilya ilia
irina ira
isabella bella izzy
isabel isa
ivan vanya
jacob jake
jacqueline jackie
james jim jimmy jamie
janet jan
jaroslav jarda
jason jay
jeffrey jeff
jennifer jen jenny
jeremy jerry
jessica jess jessie
jesus chuy
joachim achim jo
joaquin quino
johann hans
johannes hans hannes
john jack johnny jon
jonathan jon jonny
jorge coque
jose pepe
joseph joe joey
josef sepp
joshua josh
juan juanito
judith judy
juergen jogi
julia julie
justin jus
karoline karo
katarzyna kasia
katharina kathi kati
katherine kate kathy katie kat
kathleen kathy kath
kathryn kate kathy
kenneth ken kenny
kimberly kim
klaus klausi
konstantin kostya
krzysztof krzysiek kris
kristina kris tina
ksenia ksyusha
lawrence larry
leonard leo len
leonardo leo
leopold leo poldi
lillian lily
louis lou
lorenzo renzo
lucille lucy
ludwig lutz
luis lucho
madeline maddie
magdalena magda lena
malgorzata gosia
manuel manu manolo
marcin marcinek
margaret maggie meg peggy marge
margarita rita
martin marty
marvin marv
mary molly polly
mathilde tilda
matthew matt
matthias matze
maximilian max
maxim max
megan meg
melissa mel
michael mike mick mickey
michal misiek
michele mike
mikhail misha
miguel mike
mohamed mo
mohammad mo
mohammed mo
muhammad mo
nadezhda nadya
nancy nan
natalia natasha natalie
natalya natasha
nathan nate
nathaniel nate nathan
nicholas nick nicky
nicolas nico
nikolai kolya
nikolaus niko klaus
olga olya
oleksandr sasha alex
oliver ollie
olivia liv
oscar ossie
pamela pam
patricia pat tricia trish patty
patrick pat paddy
pavel pasha
penelope penny
peter pete
philip phil
phillip phil
piotr piotrek
rachel rach
ralph ralf
randall randy
raphael raffi
raymond ray
rebecca becky becca
reginald reg
ricardo ricky
richard rick rich dick ricky
robert bob rob bobby bert
roberto beto
rodney rod
roger rog
ronald ron ronnie
rosemary rose
russell russ
salvador chava
salvatore toto
samantha sam
samuel sam sammy
sandra sandy
santiago santi
sarah sally
sebastian seb basti
sergei seryozha
sergio checo
shirley shirl
siegfried sigi
stanislav stas
stanislaw staszek
stefan steff
stephanie steph
stephen steve
steven steve
stuart stu
susan sue suzy
svetlana sveta
sylvester sly
tatiana tanya
teodor teo
teresa terry tess
terence terry
theodore ted theo
theresa terry tess
therese resi
thomas tom tommy
timothy tim
tomasz tomek
tobias tobi
ulrich uli
ursula uschi
valentina valya
vasily vasya
veronica ronnie
victor vic
victoria vicky tori
viktor vitya
vincent vince vinny
virginia ginny
vladimir vova volodya vlad
walter walt
werner wern
wilhelm willi
william bill will billy liam
wojciech wojtek
wolfgang wolf
yevgeny zhenya eugene
yuri yura
zachary zach zack
zoltan zoli";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_found_from_either_side() {
        assert!(other_forms("margaret").contains(&"peggy".to_owned()));
        assert!(other_forms("peggy").contains(&"margaret".to_owned()));
        assert!(other_forms("sasha").len() > 1);
        assert!(other_forms("xqz").is_empty());
        assert!(other_forms("christopher").len() <= FORMS_MAX);
    }
}
